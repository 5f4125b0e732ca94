import type { ArtifactFile } from "@boxship/images";

/** `PATH[:TYPE]`: the type is what looks like a media type behind the last colon. */
export function artifactFile(text: string): ArtifactFile {
  const match = /^(.+):([A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*)$/.exec(text);
  if (match === null) return { path: text };
  return { path: match[1] ?? text, mediaType: match[2] };
}
