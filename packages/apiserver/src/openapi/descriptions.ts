import { partText } from "@boxship/base/entry";
import type { Describe } from "./schema-document.ts";

/** The program's part that the build makes of upstream's client. */
const PART = "kubernetes-descriptions";

/**
 * What definitions and their fields are for, in upstream's words: read when a document is made, and not kept.
 *
 * @returns undefined in a program that was built without them
 */
export async function builtDescriptions(): Promise<Describe | undefined> {
  const text = await partText(PART);
  if (text === undefined) return undefined;
  const words = JSON.parse(text) as Readonly<Record<string, Readonly<Record<string, string>>>>;
  return (definition, field = "") => words[definition]?.[field];
}
