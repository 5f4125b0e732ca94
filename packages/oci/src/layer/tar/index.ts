export * from "./bytes.ts";
export { END_OF_ARCHIVE, type EncodedHeader, encodeHeader, type TarEntryInit, tarEntry } from "./encoder.ts";
export * from "./entry.ts";
export { type TarHandler, type TarLimits, TarParser } from "./parser.ts";
export * from "./reader.ts";
export * from "./writer.ts";
