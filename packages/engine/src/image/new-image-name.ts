import { InvalidArgument } from "@boxship/base";
import { parseReference, type Reference, withDefaultTag } from "@boxship/oci";

/** The name that a new image is to get; none for an empty text. @throws InvalidArgument */
export function newImageName(text: string | undefined): readonly Reference[] {
  if (text === undefined || text === "") return [];
  const reference = parseReference(text);
  if (reference.digest === undefined) return [withDefaultTag(reference)];
  throw new InvalidArgument("cannot use digest reference for a new image: its digest is not known yet", {
    subject: { kind: "image", name: text },
  });
}
