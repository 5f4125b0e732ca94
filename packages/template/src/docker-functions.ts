import { toJson } from "./json.ts";
import type { TemplateFunction } from "./template.ts";
import { anyType, intType, stringSliceType, stringType } from "./types.ts";
import { typed, type Value } from "./value.ts";

const text1 = (call: (text: string) => unknown): TemplateFunction => ({ params: [stringType], call });

function titleCase(text: string): string {
  return text.replaceAll(
    /(^|[^\p{L}\p{N}_'])(\p{L})/gu,
    (_, before: string, letter: string) => before + letter.toUpperCase(),
  );
}

function truncateBytes(text: string, length: bigint): string {
  const bytes = Buffer.from(text);
  if (length < 0n) throw new Error(`runtime error: slice bounds out of range [:${length}]`);
  return BigInt(bytes.length) < length ? text : bytes.subarray(0, Number(length)).toString();
}

/** Functions of Docker's templates: of `--format`, and of the tags of logs. */
export const templateFunctions: Readonly<Record<string, TemplateFunction>> = {
  json: { params: [anyType], call: (value: unknown) => toJson(value) },
  split: {
    params: [stringType, stringType],
    call: (text: string, separator: string) => typed(stringSliceType, text.split(separator)),
  },
  join: {
    params: [stringSliceType, stringType],
    call: (values: Value, separator: string) => ((values.raw ?? []) as string[]).join(separator),
  },
  title: text1(titleCase),
  lower: text1((text) => text.toLowerCase()),
  upper: text1((text) => text.toUpperCase()),
  pad: {
    params: [stringType, intType, intType],
    call: (text: string, before: bigint, after: bigint) =>
      text === "" ? "" : " ".repeat(Number(before)) + text + " ".repeat(Number(after)),
  },
  truncate: { params: [stringType, intType], call: truncateBytes },
};

/** The same names for the line of headers: what shapes a value leaves its column's name alone. */
export const headerFunctions: Readonly<Record<string, TemplateFunction>> = {
  ...templateFunctions,
  json: text1((text) => text),
  split: { params: [stringType, stringType], call: (text: string) => text },
  join: { params: [stringType, stringType], call: (text: string) => text },
  title: text1((text) => text),
  lower: text1((text) => text),
  upper: text1((text) => text),
  truncate: { params: [stringType, intType], call: (text: string) => text },
};
