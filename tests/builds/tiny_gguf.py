"""A language model of random weights as a GGUF file: it makes no sense, and shows that a model is loaded and asked.

In: a path. Out: a Llama of two layers over bytes, 0.5 MB. Needs numpy and the package gguf.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFWriter, TokenType

WIDTH, HEADS, LAYERS, HIDDEN, WINDOW = 64, 4, 2, 128, 2_048
SPECIAL = ("<unk>", "<s>", "</s>")
CHAT = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}assistant: "


def write_tiny_model(path: Path) -> None:
    """Write the model; the same weights each time."""
    writer = GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(WINDOW)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    words = [
        *SPECIAL,
        *(f"<0x{byte:02X}>" for byte in range(256)),
        *(chr(letter) for letter in range(33, 127)),
        "\u2581",
    ]
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    kinds += [TokenType.BYTE] * 256 + [TokenType.NORMAL] * (len(words) - 259)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([word.encode() for word in words])
    writer.add_token_scores([0.0] * 3 + [-1e4] * 256 + [-1.0] * (len(words) - 259))
    writer.add_token_types([int(kind) for kind in kinds])
    for add, token in ((writer.add_unk_token_id, 0), (writer.add_bos_token_id, 1), (writer.add_eos_token_id, 2)):
        add(token)
    writer.add_chat_template(CHAT)
    chance = np.random.default_rng(1)
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(words), WIDTH),
        "output.weight": (len(words), WIDTH),
        "output_norm.weight": (WIDTH,),
    }
    for layer in range(LAYERS):
        block: dict[str, tuple[int, ...]] = {
            f"attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")
        }
        block |= {"attn_norm.weight": (WIDTH,), "ffn_norm.weight": (WIDTH,)}
        block |= {
            "ffn_gate.weight": (HIDDEN, WIDTH),
            "ffn_up.weight": (HIDDEN, WIDTH),
            "ffn_down.weight": (WIDTH, HIDDEN),
        }
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    for name, shape in shapes.items():
        weights = np.ones(shape) if len(shape) == 1 else chance.normal(0, 0.1, shape)
        writer.add_tensor(name, weights.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
