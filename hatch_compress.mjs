// Compress: a file as Brotli, beside it.
//
// In: the file's path. Out: the same path with `.br`.

import { readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const [path] = process.argv.slice(2);
const bytes = readFileSync(path);
const params = {
  [constants.BROTLI_PARAM_QUALITY]: 9,
  [constants.BROTLI_PARAM_LGWIN]: 22,
  [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
};
writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params }));
