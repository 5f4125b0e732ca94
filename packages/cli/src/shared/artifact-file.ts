import { type ArtifactFile, pushArtifact } from "@boxship/images";
import { formatReference, parseReference, withDefaultTag } from "@boxship/oci";
import type { Context } from "../context.ts";
import type { FlagValues } from "../flags/flag.ts";
import { keyValues } from "../flags/flag.ts";
import { accessFlags, registryAccess } from "./registry-access.ts";

/** Of the words that bring files to a registry. */
export const pushFilesFlags = {
  ...accessFlags,
  annotation: keyValues("Annotation of the manifest", { short: "a" }),
};

export interface FilesToPush {
  /** Of the image or artifact. */
  readonly name: string;
  /** As {@link artifactFile} reads them. */
  readonly files: readonly string[];
  readonly artifactType: string;
  /** @default "" for none */
  readonly config?: string;
  /** To what has the name, instead of under it. @default false */
  readonly attach?: boolean;
}

/** Pushes files as an artifact. @returns the whole name and what was pushed */
export async function pushFiles(context: Context, flags: FlagValues<typeof pushFilesFlags>, request: FilesToPush) {
  const { files, artifactType, config = "", attach = false } = request;
  const reference = withDefaultTag(parseReference(request.name));
  await using client = registryAccess(context, flags, reference.domain);
  const pushed = await pushArtifact({
    client,
    reference,
    files: files.map(artifactFile),
    artifactType: artifactType || undefined,
    config: config === "" ? undefined : artifactFile(config),
    annotations: flags.annotation,
    attach,
  });
  return { ...pushed, name: formatReference(reference) };
}

/** `PATH[:TYPE]`: the type is what looks like a media type behind the last colon. */
export function artifactFile(text: string): ArtifactFile {
  const match = /^(.+):([A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*)$/.exec(text);
  if (match === null) return { path: text };
  return { path: match[1] ?? text, mediaType: match[2] };
}
