import { errorMessage, InvalidArgument, Unsupported } from "@boxship/base";
import { parseReference, type Reference, withDefaultTag } from "@boxship/oci";

/** Where an image is, in skopeo's spelling: `transport:details` (containers-transports(5)). */
export type ImageName =
  | { readonly transport: "docker"; readonly reference: Reference }
  | { readonly transport: "oci" | "oci-archive"; readonly path: string; readonly image: string }
  | { readonly transport: "dir"; readonly path: string }
  | { readonly transport: "docker-archive"; readonly path: string; readonly select: ArchiveSelection }
  /** The engine's own store, which `containers-storage:` means here as well. */
  | { readonly transport: "docker-daemon" | "containers-storage"; readonly image: string };

/** Which image of an archive. */
export type ArchiveSelection =
  | { readonly kind: "only" }
  | { readonly kind: "tag"; readonly reference: Reference }
  | { readonly kind: "index"; readonly index: number };

export const TRANSPORTS: readonly string[] = [
  "containers-storage",
  "dir",
  "docker",
  "docker-archive",
  "docker-daemon",
  "oci",
  "oci-archive",
];

/** Transports that skopeo has and this program does not. */
const OTHERS: ReadonlySet<string> = new Set(["ostree", "sif", "tarball", "atomic"]);

function malformed(text: string, why: string): InvalidArgument {
  return new InvalidArgument(`Invalid image name ${JSON.stringify(text)}, ${why}`, {
    subject: { kind: "image", name: text },
  });
}

/**
 * Parses `transport:details`.
 *
 * @throws InvalidArgument with skopeo's texts; Unsupported for transports that are only skopeo's
 */
export function parseImageName(text: string): ImageName {
  const colon = text.indexOf(":");
  if (colon === -1) throw malformed(text, "expected colon-separated transport:reference");
  const [transport, details] = [text.slice(0, colon), text.slice(colon + 1)];
  switch (transport) {
    case "docker":
      return { transport, reference: dockerReference(text, details) };
    case "oci":
    case "oci-archive": {
      const [path, image] = splitPath(details);
      if (path === "") throw malformed(text, "its path is empty");
      return { transport, path, image };
    }
    case "dir":
      if (details === "") throw malformed(text, "its path is empty");
      return { transport, path: details };
    case "docker-archive":
      return archive(text, details);
    case "docker-daemon":
    case "containers-storage":
      if (details === "") throw malformed(text, "its name is empty");
      return { transport, image: transport === "docker-daemon" ? details : withoutStore(details) };
    default:
      if (!OTHERS.has(transport)) throw malformed(text, `unknown transport ${JSON.stringify(transport)}`);
      throw new Unsupported(`transport ${JSON.stringify(transport)} is not supported`, {
        subject: { kind: "transport", name: transport },
        remedy: `use one of ${TRANSPORTS.join(", ")}`,
      });
  }
}

/** `[driver@graphroot+runroot]name` names a store of podman's; only the image's name means something here. */
function withoutStore(details: string): string {
  if (!details.startsWith("[")) return details;
  throw new Unsupported(
    "a storage specifier in brackets is not supported: containers-storage is the engine's own store",
  );
}

/** A reference; where it is none, in the words of skopeo, which are shorter than Docker's. */
export function skopeoReference(text: string): Reference {
  try {
    return parseReference(text);
  } catch (error) {
    const words = errorMessage(error).replace(
      /repository name \(.*\) must be lowercase$/,
      "repository name must be lowercase",
    );
    throw new InvalidArgument(words, { cause: error, subject: { kind: "image", name: text } });
  }
}

function dockerReference(text: string, details: string): Reference {
  if (!details.startsWith("//")) {
    throw new InvalidArgument(`docker: image reference ${details} does not start with //`, {
      subject: { kind: "image", name: text },
    });
  }
  const reference = withDefaultTag(skopeoReference(details.slice(2)));
  if (reference.tag !== undefined && reference.digest !== undefined) {
    throw malformed(text, "Docker references with both a tag and digest are currently not supported");
  }
  return reference;
}

/** The path ends at the first colon, as in containers-transports(5). */
function splitPath(details: string): readonly [path: string, image: string] {
  const colon = details.indexOf(":");
  return colon === -1 ? [details, ""] : [details.slice(0, colon), details.slice(colon + 1)];
}

function archive(text: string, details: string): ImageName {
  const [path, image] = splitPath(details);
  if (path === "") throw malformed(text, "its path is empty");
  if (image === "") return { transport: "docker-archive", path, select: { kind: "only" } };
  if (image.startsWith("@")) {
    if (!/^@\d{1,9}$/.test(image)) throw malformed(text, `invalid source index ${image}`);
    return { transport: "docker-archive", path, select: { kind: "index", index: Number(image.slice(1)) } };
  }
  const reference = withDefaultTag(skopeoReference(image));
  if (reference.digest !== undefined) throw malformed(text, "a digest cannot be used in docker-archive references");
  return { transport: "docker-archive", path, select: { kind: "tag", reference } };
}
