import type { IdentityMatch } from "./policy.ts";

/** A full name in its parts. */
export interface ImageIdentity {
  /** With its domain. */
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

/** Reads a full name; undefined for what is none. */
export function parseIdentity(text: string): ImageIdentity | undefined {
  const match = /^([^@]+?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@([a-z0-9]+:[0-9a-f]{32,}))?$/.exec(text);
  if (match?.[1] === undefined || !match[1].includes("/")) return undefined;
  return { repository: match[1], tag: match[2], digest: match[3] };
}

/** Whether the name in a signature is accepted for an image (containers-policy.json(5), `signedIdentity`). */
export function identityMatches(match: IdentityMatch, image: ImageIdentity, signed: string): boolean {
  const claim = parseIdentity(signed);
  if (claim === undefined) return false;
  switch (match.type) {
    case "matchExact":
      return exact(image, claim);
    case "matchRepoDigestOrExact":
      return image.tag === undefined ? image.repository === claim.repository : exact(image, claim);
    case "matchRepository":
      return image.repository === claim.repository;
    case "exactReference": {
      const wanted = parseIdentity(match.name);
      return wanted !== undefined && exact(wanted, claim);
    }
    case "exactRepository":
      return claim.repository === match.name;
    case "remapIdentity":
      return identityMatches({ type: "matchRepoDigestOrExact" }, remapped(match, image), signed);
    default:
      return match satisfies never;
  }
}

/** A name with neither tag nor digest names no image exactly. */
function exact(image: ImageIdentity, claim: ImageIdentity): boolean {
  if (image.tag === undefined && image.digest === undefined) return false;
  return image.repository === claim.repository && image.tag === claim.tag && image.digest === claim.digest;
}

function remapped(match: Extract<IdentityMatch, { type: "remapIdentity" }>, image: ImageIdentity): ImageIdentity {
  const { prefix, signedPrefix } = match;
  const { repository } = image;
  if (repository !== prefix && !repository.startsWith(`${prefix}/`)) return image;
  return { ...image, repository: signedPrefix + repository.slice(prefix.length) };
}
