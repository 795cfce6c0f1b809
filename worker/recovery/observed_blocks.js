// @ts-check
// Observed blocks: the observation of each block of a run so far, for the next worker.
//
// In: positions and observations. Out: blocks, in order. A lost block is not run again: it killed its worker or was
// stopped, and is answered by its observation.

/**
 * @typedef {import("../wire/protocol.js").Observation} Observation
 * @typedef {import("../wire/protocol.js").PastBlock} PastBlock
 * @typedef {import("../wire/types.d.ts").Position} Position
 */

/** @param {PastBlock[]} earlier */
export function openBlocks(earlier) {
  let blocks = [...earlier];
  let finished = 0;

  return {
    /**
     * A block ended as it should.
     * @param {Position} position
     * @param {Observation} observation
     */
    finish({ iteration, block }, observation) {
      blocks.push({ iteration, block, observation, lost: false });
      finished += 1;
    },
    /**
     * From here on the block is not run again; one that has no observation yet gets this one.
     * @param {Position} position
     * @param {Observation} observation
     */
    lose(position, observation) {
      const known = blocks.findIndex((block) => samePosition(block, position));
      if (known !== -1) blocks[known] = { ...blocks[known], lost: true };
      else blocks.push({ iteration: position.iteration, block: position.block, observation, lost: true });
    },
    /** @param {Position | null} position */
    isLost: (position) => blocks.some((block) => block.lost && samePosition(block, position)),
    /** Number of blocks that ended as they should, in this session. */
    finished: () => finished,
    /**
     * Drop the blocks from `first` on: the run takes another way.
     * @param {Position} first
     */
    dropFrom: (first) => void (blocks = blocks.filter((block) => isBefore(block, first))),
    all: () => [...blocks],
  };
}

/**
 * @param {Position} one
 * @param {Position | null} other
 * @returns {boolean}
 */
export function samePosition(one, other) {
  return one.iteration === other?.iteration && one.block === other.block;
}

/**
 * @param {Position} one
 * @param {Position} other
 */
function isBefore(one, other) {
  return one.iteration < other.iteration || (one.iteration === other.iteration && one.block < other.block);
}
