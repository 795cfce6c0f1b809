"""Reply text: thoughts and servers' markers in every dress, and code that only mentions them."""

from __future__ import annotations

import pytest

from rlm_core.reply_text import spoken

CODE = "```repl\nn = 1\n```"

# name of the form, reply as it came, its words
FORMS = [
    ("plain", "  FINAL(7)\n", "  FINAL(7)\n"),
    ("think", "<think>\na\n</think>\n\nb", "b"),
    ("think on a line", "<think>a</think> b", "b"),
    ("left open", "<think>\nFINAL(7)", ""),
    ("left open after words", "Sure.\n\n<think>\nFINAL(7)", "Sure."),
    ("without its opening tag", "a\nFINAL(7)\n</think>\n\nb", "b"),
    ("without it, with code", f"{CODE}\nNo.\n</think>\n\nb", "b"),
    ("after a first word", "Okay. <think>\na\n</think>\nb", "Okay. \nb"),
    ("twice", "<think>a</think>b<think>c</think>d", "bd"),
    ("thinking", "<thinking>a</thinking>b", "b"),
    ("upper case", "<THINK>a</THINK>b", "b"),
    ("reasoning", "<reasoning>\na\n</reasoning>\nb", "b"),
    ("seed", "<seed:think>a</seed:think>b", "b"),
    ("brackets", "[THINK]a[/THINK]b", "b"),
    ("triangles", "\u25c1think\u25b7a\u25c1/think\u25b7b", "b"),
    ("begin_of_thought", "<|begin_of_thought|>a<|end_of_thought|>b", "b"),
    ("START_THINKING", "<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>", "b"),
    ("in words", "Here is my thought process: a.\nHere is my response: b", "b"),
    ("with an attribute", '<think time="3">\nFINAL(7)\n</think>\nb', "b"),
    ("with blanks in its tags", "< think >\nFINAL(7)\n</think >\nb", "b"),
    ("a process", "<thought_process>\nFINAL(7)\n</thought_process>\nb", "b"),
    ("a monologue", "<inner_monologue>\nFINAL(7)\n</inner_monologue>\nb", "b"),
    ("analysis", "<analysis>\nFINAL(7)\n</analysis>\nb", "b"),
    ("another vendor's prefix", "<mm:think>\nFINAL(7)\n</mm:think>\nb", "b"),
    ("think as a token", "<|think|>\nFINAL(7)\n<|/think|>\nb", "b"),
    ("startofthink", "<|startofthink|>\nFINAL(7)\n<|endofthink|>\nb", "b"),
    ("a channel of thoughts", "<|channel>thought\nFINAL(7)\n<channel|>b<turn|>", "b"),
    ("harmony", "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>", "b"),
    ("harmony, analysis only", "<|channel|>analysis<|message|>a<|end|>", ""),
    ("harmony, commentary", "<|channel|>commentary<|message|>b<|end|>", "b"),
    ("harmony, bare", "analysisWe look.assistantfinalb", "b"),
    ("harmony, bare, in lower case", "analysiswe look.assistantfinalb", "b"),
    ("harmony, without its start", "assistant<|channel|>final<|message|>b", "b"),
    ("harmony, after words", "a<|channel|>final<|message|>b", "a\nb"),
    ("box", "<|begin_of_box|>b<|end_of_box|>", "b"),
    ("answer", "<answer>b</answer>", "b"),
    ("answer on lines", "<answer>\nb\n</answer>", "b"),
    ("im_end", "b<|im_end|>", "b"),
    ("header", "<|im_start|>assistant\nb<|im_end|>", "b"),
    ("llama header", "<|start_header_id|>assistant<|end_header_id|>\n\nb<|eot_id|>", "b"),
    ("gemma", "<start_of_turn>model\nb<end_of_turn>", "b"),
    ("eos", "b</s>", "b"),
    ("eos, then a turn in words", "b</s>\nUser: c", "b"),
    ("eos three times", "b</s></s></s>", "b"),
    ("struck out, then eos", "a <s>b</s> c</s>", "a <s>b</s> c"),
    ("turns of another vendor", "<|turn>model\nb<turn|>\n<|turn>user\nc", "b"),
    ("turn tokens", "<|CHATBOT_TOKEN|>b<|END_OF_TURN_TOKEN|>", "b"),
    ("padding", "b<|pad|><|pad|>", "b"),
    ("padding in angles", f"{CODE}<pad><pad>", CODE),
    ("an unknown token at the end", "b<|role_end|>", "b"),
    ("eos in brackets", "b<|im_end|>[EOS]", "b"),
    ("deepseek", "b<\uff5cend\u2581of\u2581sentence\uff5c>", "b"),
    ("after code", f"{CODE}<|im_end|>", CODE),
    ("llama header of another version", "<|header_start|>assistant<|header_end|>\n\nb<|eot|>", "b"),
    ("a separator of the header", "<|im_start|>assistant<|im_sep|>b<|im_end|>", "b"),
    ("roles in the middle", "<|im_assistant|>assistant<|im_middle|>b<|im_end|>", "b"),
    ("roles in the middle, the next turn", "b<|im_user|>user<|im_middle|>c", "b"),
    ("roles between tokens", "<|start_of_role|>assistant<|end_of_role|>b<|end_of_text|>", "b"),
    ("begin of sentence", "<\uff5cbegin\u2581of\u2581sentence\uff5c><\uff5cAssistant\uff5c></think>b", "b"),
    ("a mask before it", "[gMASK]<sop><|assistant|>\nb<|user|>", "b"),
    ("seed's own markers", "<seed:bos>assistant\nb<seed:eos>", "b"),
    ("bars in brackets", "[|assistant|]b[|endofturn|]\n[|user|]c", "b"),
    ("start of text", "<|START_TEXT|>b<|END_TEXT|>", "b"),
    ("starts of a turn by tokens", "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>b<|END_OF_TURN_TOKEN|>", "b"),
    ("assistant_start", "<|assistant_start|>b<|assistant_end|>", "b"),
    ("roles as elements", "<role>ASSISTANT</role>b<|role_end|><role>HUMAN</role>c", "b"),
    ("extra ids", "<extra_id_1>Assistant\nb\n<extra_id_1>User\nc", "b"),
    ("the end of the prompt", "[/INST] b</s>", "b"),
    ("the end of the turn before it", "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nb<|eot_id|>", "b"),
    ("another vendor's turns without brackets", "]~!b[]~b]ai\nb[e~[\n]~b]user\nc", "b"),
    ("an end on its own line", "b\n<|eot|>", "b"),
    ("a byte order mark before thoughts", "\ufeff<think>a</think>b", "b"),
    ("a prefix of a vendor's", "<longcat_think>\nFINAL(7)\n</longcat_think>\nb", "b"),
    ("a suffix of a vendor's", "<think:opensource>\nFINAL(7)\n</think:opensource>\nb", "b"),
    ("scratch_pad", "<scratch_pad>\nFINAL(7)\n</scratch_pad>\nb", "b"),
    ("internal thoughts", "<internal_thoughts>\nFINAL(7)\n</internal_thoughts>\nb", "b"),
    ("the field's name", "<reasoning_content>\nFINAL(7)\n</reasoning_content>\nb", "b"),
    ("think_start", "<|think_start|>FINAL(7)<|think_end|>b", "b"),
    ("thought_begin", "<|thought_begin|>FINAL(7)<|thought_end|>b", "b"),
    ("an inner prefix", "<|inner_prefix|>\nFINAL(7)\n<|inner_suffix|>b", "b"),
    ("an unused token", "<unused94>thought\nFINAL(7)<unused95>b", "b"),
    ("an unused token, left open", "<unused94>thought\nFINAL(7)", ""),
    ("a turn of thoughts", "<|think|>FINAL(7)<|end|><|begin|>assistant<|content|>b<|end|>", "b"),
    ("a turn without thoughts", "<|content|>b<|end|>", "b"),
    ("steps", "Here are my reasoning steps:\nFINAL(7)\n[BEGIN FINAL RESPONSE]\nb\n[END FINAL RESPONSE]\n<|end|>", "b"),
    ("steps begun by the prompt", "We look. FINAL(7)\n\n[BEGIN FINAL RESPONSE]\nb", "b"),
    ("glued to its end", "So it is.</think>FINAL(8)", "FINAL(8)"),
    ("glued to code", f"So it is.</think>{CODE}", CODE),
    ("glued to a value", 'So it is.</think>{"n": 4}', '{"n": 4}'),
    ("thoughts, then a response", "<think>a</think>\n<response>\nb\n</response>", "b"),
    ("a channel of thoughts, then the last", "<|channel>thought\nFINAL(7)<channel|><|channel>final\nb<channel|>", "b"),
    (
        "harmony, without its first token",
        "analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b",
        "b",
    ),
    ("harmony, final without its first token", "final<|message|>b<|return|>", "b"),
    ("harmony, without message", "<|channel|>analysis<|message|>a<|end|>\n<|channel|>final\nb", "b"),
    ("harmony, bare, on lines", "analysis\nWe look. FINAL(7)\nassistantfinal\nb", "b"),
    ("harmony, bare, the final alone", "assistantfinalb", "b"),
    ("an invented turn", "b\n<|im_end|>\n<|im_start|>user\nc", "b"),
    ("an invented turn without an end", "b\n<|im_start|>user\nc", "b"),
]

# forms that are no thoughts and no markers
KEPT = [
    "FINAL(a <s>b</s> c)",
    'FINAL(The tag is "<think>".)',
    "Use `<think>` and `</think>`.",
    "```repl\nx = y.split('</think>')[-1]\n```",
    '```repl\nx = re.sub(r"<think>.*?</think>", "", y)\n```',
    "```repl\nx = f'<|im_start|>user\\n{p}<|im_end|>'\n```",
    '```repl\nx = """\n<think>\na\n</think>\n"""\n```',
    '```repl\nx = """\n<answer>\n</answer>\n"""\n```',
    '```repl\nx = "a <|im_end|> b"\nprint(x)\n```',
    "FINAL(<reasoning>a</reasoning> b)",
    "<analysis>\na\n```repl\nx = 1\n```",
    "FINAL(a, then <thought>b</thought>\nand c)",
    "The last token is <|pad|>",
    "The marker <|im_end|> ends a turn.",
    "A turn ends with <|im_end|>, as said.",
    "FINAL(A turn ends with <|im_end|>.)",
    "FINAL(<|im_end|>)",
    "Use </s> as the separator.",
    "Tokens: </s>, <s>, <pad>.",
    "| <|im_end|> | ends a turn |\n| <|im_start|> | begins one |",
    "**<|im_end|>** ends a turn, [</s>](#eos) a text",
    "<response>a</response>",
    "The end is </think> of course",
    "The end (</think>) is it",
    "<|endoftext|> is the end token.",
    "A <thought experiment> in brackets",
    "a < b and c > d [1]",
    "analysis of the text",
]


@pytest.mark.parametrize(("reply", "words"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_the_words_of_a_reply(reply: str, words: str) -> None:
    assert spoken(reply) == words
    assert spoken(words) == words


@pytest.mark.parametrize("reply", KEPT)
def test_a_reply_that_only_mentions_a_tag_is_left_as_it_is(reply: str) -> None:
    assert spoken(reply) == reply


def test_tags_that_a_prompt_asks_for_are_left_in() -> None:
    reply = "<thinking>a</thinking>\n<answer>b</answer>"
    assert spoken(reply, prompt="Use <thinking> and <answer>.") == reply
    assert spoken(reply, prompt="Use <answer>.") == "<answer>b</answer>"
    assert spoken("<think>a</think>b", prompt="Mind <think>.") == "b"
    assert spoken("a<|pad|>", prompt="Which token is it, <|pad|> or <|eos|>?") == "a<|pad|>"
    assert spoken("A turn ends with <|im_end|>", prompt="What is <|im_end|>?") == "A turn ends with <|im_end|>"
    shown = "So:\n```\n<|im_start|>user\nHi<|im_end|>\n```\nDone."
    assert spoken(shown, prompt="Show <|im_start|> and <|im_end|>.") == shown
    assert spoken("It is [INST] in front.", prompt="[INST] or [/INST]?") == "It is [INST] in front."
    assert spoken("A turn<|im_end|>", prompt="What is <|im_end|>?") == "A turn"
    assert spoken("<analysis>\na\n</analysis>", prompt="Analyse it.") == "<analysis>\na\n</analysis>"
