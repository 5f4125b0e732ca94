import { descriptionOf, type Place, type Stage } from "../language/index.ts";

/** What a file says, as it was read. */
export type Sources = ReadonlyMap<string, readonly string[]>;

/** The lines of an instruction, as clients have them. */
export const linesOf = ({ lines: [first, last] }: Place) => ({
  ranges: [{ start: { line: first }, end: { line: last } }],
});

export const json = (value: unknown): string => JSON.stringify(value, undefined, 2);

export const base64 = (lines: readonly string[] | undefined): string =>
  Buffer.from((lines ?? []).join("\n")).toString("base64");

/** What a comment above says of a stage. */
export const stageDescription = ({ name, from }: Stage): string | undefined =>
  name === undefined ? undefined : descriptionOf(from.comments, name);

/** A field, or none for nothing. */
export function optional<Key extends string>(key: Key, value: string | undefined): { readonly [K in Key]?: string } {
  return (value === undefined || value === "" ? {} : { [key]: value }) as { readonly [K in Key]?: string };
}
