import { type Clock, type Logger, NotFound, SingleFlight, Unsupported } from "@boxship/base";
import { type Digest, isDigest } from "@boxship/oci";
import type { Metrics } from "../http/metrics.ts";
import { pageOf } from "../store/merge-pages.ts";
import type { Page, PageRequest, RepositoryStore, StoredManifest } from "../store/repository-store.ts";
import { BlobDownloads, type FollowedBlob } from "./blob-downloads.ts";
import { isOutage, Upstream, type UpstreamOptions } from "./upstream.ts";

export interface PullThroughParts {
  readonly upstreams: readonly UpstreamOptions[];
  readonly repositories: RepositoryStore;
  readonly metrics: () => Metrics;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Of more tags it is not remembered when they were looked up. */
const MOST_CHECKED = 10_000;

/** What is served, and what whoever asks should know about it. */
export interface Cached {
  readonly manifest: StoredManifest;
  readonly warning?: string;
}

/**
 * A cache of other registries. What is asked for is fetched once, however many ask, and kept; a tag is looked up again
 * when it is not fresh, and served as it was where the other registry does not answer.
 */
export class PullThrough implements AsyncDisposable {
  readonly #parts: PullThroughParts;
  readonly #upstreams: readonly Upstream[];
  readonly #looking = new SingleFlight<Cached>();
  readonly #downloads: BlobDownloads;
  readonly #checked = new Map<string, number>();

  constructor(parts: PullThroughParts) {
    const { upstreams, clock, logger, repositories } = parts;
    this.#parts = parts;
    // The longest prefix first: the most particular one is meant.
    this.#upstreams = upstreams
      .map((options) => new Upstream(options, clock, logger))
      .toSorted((a, b) => b.options.prefix.length - a.options.prefix.length);
    this.#downloads = new BlobDownloads(repositories);
  }

  /** Undefined for a repository of our own. */
  upstream(repository: string): Upstream | undefined {
    return this.#upstreams.find(({ options: { prefix } }) => prefix === "" || repository.startsWith(`${prefix}/`));
  }

  /** Our name for a repository that a client knows by its registry's (`?ns=`); undefined where there is none. */
  repositoryOf(registry: string, path: string): string | undefined {
    const found = this.#upstreams.find(({ options }) => options.registry === registry);
    if (found === undefined) return undefined;
    const { prefix } = found.options;
    return prefix === "" ? path : `${prefix}/${path}`;
  }

  /** @throws Unsupported for a repository that only caches another's */
  refuseToChange(repository: string): void {
    const upstream = this.upstream(repository);
    // Without a prefix what is pushed stands beside what is cached.
    if (upstream === undefined || upstream.options.prefix === "") return;
    throw new Unsupported(`repository ${repository} is a copy of one of ${upstream.options.registry}`, {
      subject: { kind: "repository", name: repository },
      remedy: "push to the registry itself",
    });
  }

  /** @throws NotFound; Unavailable where it is not here and cannot be asked for */
  manifest(repository: string, reference: string): Promise<Cached> {
    const upstream = this.upstream(repository);
    if (upstream === undefined) return this.#here(repository, reference);
    return this.#looking.run(`${repository}@${reference}`, () => this.#manifest(upstream, repository, reference));
  }

  async #here(repository: string, reference: string): Promise<Cached> {
    return { manifest: await this.#parts.repositories.manifest(repository, reference) };
  }

  async #manifest(upstream: Upstream, repository: string, reference: string): Promise<Cached> {
    const { clock, repositories } = this.#parts;
    const metrics = this.#parts.metrics();
    const { registry } = upstream.options;
    const present = await this.#present(repository, reference);
    const key = `${repository}:${reference}`;
    const checked = this.#checked.get(key) ?? -Infinity;
    if (present !== undefined && (isDigest(reference) || clock.now() - checked < upstream.fresh)) {
      metrics.upstream(registry, "hit");
      return { manifest: present };
    }
    try {
      const manifest = await upstream.ask(async (client) => {
        const remote = upstream.reference(repository, reference);
        if (present !== undefined) {
          const { digest } = await client.resolve(remote);
          if (digest === present.digest) return present;
        }
        const { bytes, mediaType, digest } = await client.manifest(remote);
        return repositories.cacheManifest(
          repository,
          reference,
          bytes,
          mediaType === "" ? undefined : mediaType,
          digest,
        );
      });
      metrics.upstream(registry, manifest === present ? "hit" : "miss");
      if (this.#checked.size >= MOST_CHECKED) this.#checked.clear();
      this.#checked.set(key, clock.now());
      if (!isDigest(reference)) await repositories.touchTag(repository, reference, manifest.digest);
      return { manifest };
    } catch (error) {
      if (error instanceof NotFound) {
        this.#checked.delete(key);
        if (present !== undefined) await repositories.deleteManifest(repository, reference);
        throw error;
      }
      if (!isOutage(error)) throw error;
      const age = clock.now() - ((await repositories.taggedAt(repository, reference)) ?? 0);
      if (present === undefined || age > upstream.stale) {
        metrics.upstream(registry, "failure");
        throw error;
      }
      metrics.upstream(registry, "stale");
      const minutes = Math.floor(age / 60_000);
      return { manifest: present, warning: `${registry} does not answer; this is what it had ${minutes} minutes ago` };
    }
  }

  async #present(repository: string, reference: string): Promise<StoredManifest | undefined> {
    try {
      return (await this.#here(repository, reference)).manifest;
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  }

  /**
   * Sees that a blob is here, or on its way: then it can be followed.
   *
   * @throws NotFound, Unavailable
   */
  async blob(repository: string, digest: Digest): Promise<FollowedBlob | undefined> {
    const upstream = this.upstream(repository);
    if (upstream === undefined || (await this.#parts.repositories.has(repository, digest))) return undefined;
    this.#parts.metrics().upstream(upstream.options.registry, "miss");
    return this.#downloads.follow(upstream, repository, digest);
  }

  /** The tags there; those here where the other registry does not answer. */
  async tags(repository: string, page: PageRequest): Promise<Page> {
    const upstream = this.upstream(repository);
    if (upstream === undefined) return this.#parts.repositories.tags(repository, page);
    try {
      return pageOf(await upstream.ask((client) => client.tags(upstream.reference(repository))), page);
    } catch (error) {
      return this.#parts.repositories.tags(repository, page).catch(() => {
        throw error;
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#downloads[Symbol.asyncDispose]();
    await Promise.all(this.#upstreams.map((upstream) => upstream[Symbol.asyncDispose]()));
  }
}
