import { dirname, join } from "node:path";
import { ManifestListFiles } from "@boxship/images";
import { parseReference, type Reference, withDefaultTag } from "@boxship/oci";
import type { Context } from "../context.ts";
import { Failure } from "../failure.ts";

/** Lists that the user has not pushed yet, beside the user's logins. */
export async function manifestLists(context: Context): Promise<ManifestListFiles> {
  const { path } = await context.config();
  return new ManifestListFiles(join(dirname(path), "boxship-manifests"));
}

/** A name with a tag. */
export function listName(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest !== undefined) throw new Failure("a manifest list is named by a tag, not by a digest");
  return reference;
}
