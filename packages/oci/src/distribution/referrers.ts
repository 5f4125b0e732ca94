import { InvalidArgument, NotFound } from "@boxship/base";
import type { Descriptor } from "../descriptor.ts";
import { type Digest, digestAlgorithm, digestHex } from "../digest.ts";
import { decodeManifest, type ImageIndex } from "../manifest.ts";
import { MANIFEST_MEDIA_TYPES, MediaType } from "../media-types.ts";
import { familiarName, type Reference } from "../reference.ts";
import { repositoryScope } from "./authentication.ts";
import type { Reply } from "./failures.ts";
import { type Ask, pagesOf } from "./pages.ts";
import type { ApiRequest } from "./session.ts";

class NoReferrersApi extends Error {}

/** The tag under which clients keep the referrers of a manifest where the registry does not (distribution spec 1.1). */
export function referrersTag(subject: Digest): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject)}`;
}

/**
 * All referrers of a manifest (distribution spec 1.1, "Listing Referrers"); none is an empty index. A registry that
 * ignores the filter is filtered here.
 *
 * @throws InvalidArgument for an answer that is no index
 */
export async function listReferrers(
  ask: Ask,
  reference: Reference,
  subject: Digest,
  artifactType: string | undefined,
): Promise<ImageIndex> {
  const index = (await fromApi(ask, reference, subject, artifactType)) ?? (await fromTag(ask, reference, subject));
  const manifests = index.filter((entry) => artifactType === undefined || entry.artifactType === artifactType);
  return { kind: "index", mediaType: MediaType.OciIndex, manifests };
}

async function fromApi(
  ask: Ask,
  reference: Reference,
  subject: Digest,
  artifactType: string | undefined,
): Promise<readonly Descriptor[] | undefined> {
  const base = `${reference.path}/referrers/${subject}`;
  const query = artifactType === undefined ? "" : `?${new URLSearchParams({ artifactType }).toString()}`;
  const request = listing(reference, `${base}${query}`);
  const askApi: Ask = async (page, signal) => {
    try {
      return await ask(page, signal);
    } catch (error) {
      absent(error);
      throw new NoReferrersApi();
    }
  };
  const found: Descriptor[] = [];
  try {
    for await (const reply of pagesOf({ ask: askApi, request, what: `the referrers of ${subject}` })) {
      for (const entry of read(reply, reference)) found.push(entry);
    }
  } catch (error) {
    if (error instanceof NoReferrersApi) return undefined;
    throw error;
  }
  return found;
}

async function fromTag(ask: Ask, reference: Reference, subject: Digest): Promise<readonly Descriptor[]> {
  const reply = await ask(listing(reference, `${reference.path}/manifests/${referrersTag(subject)}`)).catch(absent);
  return reply === undefined ? [] : read(reply, reference);
}

function listing(reference: Reference, path: string): ApiRequest {
  return {
    method: "GET",
    path,
    headers: { accept: MANIFEST_MEDIA_TYPES.join(", ") },
    asked: { what: "manifest", reference },
    scope: repositoryScope(reference, ["pull"]),
  };
}

/** Registries without the API answer 404 or, some older ones, refuse the path. */
function absent(error: unknown): undefined {
  if (error instanceof NotFound || error instanceof InvalidArgument) return undefined;
  throw error;
}

function read(reply: Reply, reference: Reference): readonly Descriptor[] {
  const name = `the list of referrers in ${familiarName(reference)}`;
  const document = decodeManifest(reply.body, { name });
  if (document.kind === "index") return document.manifests;
  throw new InvalidArgument(`${name} is no index`);
}
