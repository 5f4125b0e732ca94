import { errorMessage, type Logger } from "@boxship/base";
import { adoptImage, type EngineContext } from "@boxship/engine";
import { type ImageRecord, parseReference, type Reference } from "@boxship/oci";
import type { ImageSource, RegistryListener } from "../store/image-source.ts";

/** Docker's own registry: its images have no host in their repository's name here. */
const HUB = "docker.io";
/** Names that mean this machine. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/;

/**
 * An engine's images as repositories. `nginx` is `library/nginx`, `quay.io/team/app` is `quay.io/team/app`, and what is
 * named after this machine (`localhost:5000/app`) is `app`. Hosts with a port cannot be part of a repository's name; such
 * images are not served.
 */
export function engineImages({ images }: Pick<EngineContext, "images">): ImageSource {
  const of = (repository: string): readonly Named[] =>
    images.store.list().flatMap((record) => namesOf(record).filter((named) => named.repository === repository));
  return {
    repositories: () => images.store.list().flatMap((record) => namesOf(record).map((named) => named.repository)),
    tags: (repository) =>
      new Map(of(repository).flatMap(({ tag, record }) => (tag === undefined ? [] : [[tag, record.manifest]]))),
    manifest: (repository, digest) =>
      of(repository).find(({ record }) => record.manifest.digest === digest)?.record.manifest,
    hasBlob: (repository, digest) =>
      of(repository).some(
        ({ record }) => record.id === digest || record.layers.some((layer) => layer.digest === digest),
      ),
  };
}

interface Named {
  readonly repository: string;
  readonly tag: string | undefined;
  readonly record: ImageRecord;
}

function namesOf(record: ImageRecord): readonly Named[] {
  const digests = record.repoDigests.map((text) => ({ ...parseReference(text), tag: undefined }));
  return [...record.tags, ...digests].flatMap((reference) => {
    const repository = repositoryOf(reference);
    return repository === undefined ? [] : [{ repository, tag: reference.tag, record }];
  });
}

function repositoryOf({ domain, path }: Reference): string | undefined {
  if (domain === HUB || LOOPBACK.test(domain)) return path;
  return domain.includes(":") || domain.includes("[") ? undefined : `${domain}/${path}`;
}

/** Has the engine take up what is pushed, under the name that the client had for it, and forget what is deleted. */
export function engineListener(context: EngineContext, logger: Logger): RegistryListener {
  return {
    async tagged({ repository, tag, host, manifest }) {
      const name = nameOf(host, repository, tag);
      if (name === undefined) return;
      try {
        await adoptImage(context, manifest, name);
      } catch (error) {
        logger.warn("what was pushed is no image of the engine", { repository, tag, error: errorMessage(error) });
      }
    },
    async untagged({ repository, tag }) {
      const names = context.images.store.list().flatMap(({ tags }) => tags);
      for (const name of names) {
        if (!LOOPBACK.test(name.domain) || name.path !== repository || name.tag !== tag) continue;
        await context.images.store.untag(name);
      }
    },
  };
}

/** Only a name that means this machine: others would let a client rename images by its `Host` header. */
function nameOf(host: string, repository: string, tag: string): Reference | undefined {
  if (!LOOPBACK.test(host)) return undefined;
  try {
    return parseReference(`${host}/${repository}:${tag}`);
  } catch {
    return undefined;
  }
}
