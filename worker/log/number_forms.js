// @ts-check
// Number forms: the numbers in a text, each with the values that it may mean.
//
// In: text of any language. Out: numbers with their place and readings: thousands separators, decimal commas, scale words
// ("1.2 million"), percent and units make several of one. Number words up to ninety-nine and months are read in sources.

/**
 * A value, and the size of its last written place: half of it is what rounding may have taken away.
 * @typedef {{value: number, step: number}} Reading
 */

/**
 * @typedef {object} NumberForm
 * @property {string} text as it is written, with its unit
 * @property {string} digits
 * @property {number} start in UTF-16 units
 * @property {number} end
 * @property {Reading[][]} alternatives ways to read it; all readings of one are meant together
 * @property {number[]} factors of its scale or unit, by which a value elsewhere may differ; 1 is the first
 * @property {boolean} isQuantity it has a percent sign, a currency or a scale
 * @property {string} before text that precedes it
 * @property {string} after
 */

/** A list of numbers without blanks is read in pieces: V8 keeps each turn of an unbounded group on its stack. */
const NUMBER =
  /\d{1,3}(?:[ \u00a0\u2009\u202f]\d{3}){1,60}(?![\d])(?:[.,]\d+)?|\d+(?:[.,'\u2019_]\d+){0,60}(?:[eE][+-]?\d{1,3}(?![\w]))?/gu;
const UNIT = /^(?:[ \u00a0\u202f]?|-(?=\p{L}{2}))([%\u2030]|\p{L}+)/u;
const CURRENCY = /[$\u00a3\u20ac\u00a5\u20b9]\s?$/u;
const AROUND_CHARS = 24;
const K = 1e3;

/** Scale or unit -> factors between it and the units in which the same value may be written elsewhere. */
const FACTORS = new Map(
  /** @type {[string, number[]][]} */ ([
    ["% percent pct prozent procent", [0.01]],
    ["\u2030", [0.001]],
    ["k thousand thousands tsd tausend", [K]],
    ["m", [K * K, 100, 60]],
    ["mm", [K * K, 0.1]],
    ["million millions mio mn mln millionen", [K * K, K]],
    ["b bn billion billions mrd milliarden", [K ** 3, K * K, K]],
    ["trillion trillions tn", [K ** 4, K ** 3, K * K]],
    ["kb kib kilobyte kilobytes", [K, 1024]],
    ["mb mib megabyte megabytes", [K * K, 1024 ** 2, K, 1024]],
    ["gb gib gigabyte gigabytes", [K ** 3, 1024 ** 3, K * K, 1024 ** 2, K, 1024]],
    ["tb tib terabyte terabytes", [K ** 4, 1024 ** 4, K ** 3, 1024 ** 3, K * K]],
    ["ms millisecond milliseconds", [0.001]],
    ["s sec secs second seconds sekunden", [K]],
    ["min mins minute minutes minuten", [60, 60 * K]],
    ["h hr hrs hour hours stunden", [60, 3600]],
    ["d day days tage", [24, 1440, 86_400]],
    ["week weeks wochen", [7]],
    ["year years jahre", [12, 365]],
    ["dozen", [12]],
    ["km kilometre kilometres kilometer kilometers", [K]],
    ["cm", [0.01, 10]],
    ["kg kilogram kilograms", [K]],
    ["t tonne tonnes tons", [K, K * K]],
    ["cent cents pence", [0.01]],
  ]).flatMap(([names, factors]) => names.split(" ").map((name) => /** @type {const} */ ([name, factors]))),
);
const QUANTITIES = new Set(
  "% percent pct prozent \u2030 k thousand tsd million millions mio mn mln bn billion".split(" "),
);
const MONTHS = "january february march april may june july august september october november december".split(" ");
const WORDS = new Map([
  ...numbered(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen",
    (index) => index + 1,
  ),
  ...numbered("twenty thirty forty fifty sixty seventy eighty ninety", (index) => 10 * (index + 2)),
  ...numbered(MONTHS.join(" "), (index) => index + 1),
  ...numbered(MONTHS.map((month) => month.slice(0, 3)).join(" "), (index) => index + 1),
  ...numbered("hundred thousand million billion dozen", (index) => [100, K, K * K, K ** 3, 12][index]),
]);
const WORD = new RegExp(`\\b(${[...WORDS.keys()].join("|")})(?:[- ](${[...WORDS.keys()].join("|")}))?\\b`, "gi");

/**
 * @param {string} text
 * @returns {Generator<NumberForm, void, void>}
 */
export function* numbersIn(text) {
  for (const match of text.matchAll(NUMBER)) {
    const [digits] = match;
    const end = match.index + digits.length;
    const before = text.slice(Math.max(0, match.index - AROUND_CHARS), match.index);
    const after = text.slice(end, end + AROUND_CHARS);
    const unit = UNIT.exec(after);
    const factors = FACTORS.get(unit?.[1].toLowerCase() ?? "");
    const currency = CURRENCY.exec(before)?.[0] ?? "";
    yield {
      text: `${currency}${digits}${factors && unit ? unit[0] : ""}`,
      digits,
      start: match.index - currency.length,
      end: end + (factors && unit ? unit[0].length : 0),
      alternatives: alternativesOf(digits),
      factors: factors === undefined ? [1] : [1, ...factors],
      isQuantity: currency !== "" || QUANTITIES.has(unit?.[1].toLowerCase() ?? ""),
      before: before.slice(0, before.length - currency.length),
      after,
    };
  }
}

/**
 * Values of all numbers in a text of a source, each in all its readings.
 * @param {string} text
 * @param {(value: number) => void} take
 */
export function valuesIn(text, take) {
  for (const { digits, alternatives, factors } of numbersIn(text)) {
    for (const { value } of alternatives.flat()) for (const factor of factors) take(value * factor);
    if (/[^\d]/.test(digits)) for (const run of digits.match(/\d+/g) ?? []) take(Number(run));
  }
  for (const [, first, second] of text.matchAll(WORD)) {
    const [one, other] = [first, second ?? ""].map((word) => WORDS.get(word.toLowerCase()));
    if (one !== undefined) take(one);
    if (one === undefined || other === undefined) continue;
    take(other);
    take(other < 10 && one >= 20 ? one + other : one * other);
  }
}

/** @param {string} digits @returns {Reading[][]} */
function alternativesOf(digits) {
  const [body, exponent = ""] = digits.toLowerCase().split("e");
  if (exponent !== "") return [[reading(body, Number(exponent))]];
  if (/^\d+$/.test(body)) return [[reading(body)]];
  /** @type {Reading[][]} */
  const readings = [];
  const spaced = body.replace(/(?<=\d)[ \u00a0\u2009\u202f'\u2019_](?=\d{3}(?!\d))/gu, "");
  if (/^\d+(?:[.,]\d+)?$/.test(spaced)) readings.push([reading(spaced.replace(",", "."))]);
  for (const [group, point] of [
    [",", "."],
    [".", ","],
  ]) {
    const shape = new RegExp(`^\\d{1,3}(?:\\${group}\\d{2,3})*\\${group}\\d{3}(?:\\${point}\\d+)?$`);
    if (shape.test(spaced)) readings.push([reading(spaced.replaceAll(group, "").replace(point, "."))]);
  }
  const runs = body.match(/\d+/g) ?? [];
  const isGrouped = readings.length > 0 && ((runs[0] ?? "").length < 3 || runs.length < 3);
  if (!isGrouped || /[ ]/.test(body)) readings.push(runs.map((run) => reading(run)));
  return readings;
}

/**
 * @param {string} plain digits, with a point at most
 * @param {number} [exponent]
 * @returns {Reading}
 */
function reading(plain, exponent = 0) {
  const decimals = plain.split(".")[1]?.length ?? 0;
  return { value: Number(`${plain}e${exponent}`), step: 10 ** (exponent - decimals) };
}

/**
 * @param {string} words
 * @param {(index: number) => number} value
 * @returns {[string, number][]}
 */
function numbered(words, value) {
  return words.split(" ").map((word, index) => [word, value(index)]);
}
