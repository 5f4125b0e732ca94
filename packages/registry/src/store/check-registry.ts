import { type BlobState, type Digest, decodeManifest, verifyBlob } from "@boxship/oci";
import { type KeyValue, prefixRange, type Store } from "@boxship/store";
import type { BlobStore } from "../blobs/contract.ts";
import { removeUnchanged } from "./collect-garbage.ts";
import { digestOfKey, eachItem, eachKey, repositoryOfKey } from "./index-walk.ts";
import { keys } from "./keys.ts";
import { referrerOf } from "./manifest-needs.ts";
import { type BlobRecord, decodeRecord, encodeRecord, type ManifestRecord, type TagRecord } from "./records.ts";

/** Something that is not as it should be. */
export interface RegistryProblem {
  readonly repository: string;
  /** What it is about: a digest, or a tag. */
  readonly name: string;
  readonly problem: string;
  /** What was, or with `repair` would be, done about it; undefined: nothing can be done here. */
  readonly repair: string | undefined;
}

export interface RegistryCheck {
  readonly repositories: number;
  readonly manifests: number;
  readonly tags: number;
  /** Blobs whose bytes were read, and how many they are. */
  readonly blobs: number;
  readonly bytes: number;
  /** Blobs that nothing needs, which the next collections remove. */
  readonly orphans: number;
  readonly problems: readonly RegistryProblem[];
}

export interface CheckRequest {
  readonly index: Store;
  readonly content: BlobStore;
  /** Whether the bytes are the registry's alone; others' blobs are neither read nor counted. */
  readonly alone: boolean;
  /** Mends what can be mended. @default false */
  readonly repair?: boolean;
  /** Told of what a repository has no more, in bytes. */
  readonly onRemoved?: (repository: string, size: number) => void;
}

/**
 * Reads everything that a registry keeps: each blob against its digest, each manifest against what it needs, each tag and
 * referrer against its manifest. It may serve meanwhile; what is pushed or deleted at the same time may be told of.
 */
export async function checkRegistry(request: CheckRequest): Promise<RegistryCheck> {
  return await new Checker(request).run();
}

class Checker {
  readonly #request: CheckRequest;
  readonly #states = new Map<Digest, BlobState>();
  readonly #manifests = new Map<string, ManifestRecord>();
  readonly #needed = new Set<Digest>();
  readonly #problems: RegistryProblem[] = [];
  #bytes = 0;
  #orphans = 0;

  constructor(request: CheckRequest) {
    this.#request = request;
  }

  async run(): Promise<RegistryCheck> {
    const { index } = this.#request;
    const links = await this.#links();
    await this.#manifestsAndReferrers(links);
    const tags = await this.#tags();
    await this.#referrers();
    if (this.#request.alone) await this.#others();
    const { count } = await index.range(prefixRange(keys.repositories), { countOnly: true });
    return {
      repositories: count,
      manifests: this.#manifests.size,
      tags,
      blobs: this.#states.size,
      bytes: this.#bytes,
      orphans: this.#orphans,
      problems: this.#problems,
    };
  }

  async #state(digest: Digest): Promise<BlobState> {
    const known = this.#states.get(digest);
    if (known !== undefined) return known;
    const { content, repair = false } = this.#request;
    const state = await verifyBlob(content, digest);
    this.#states.set(digest, state);
    this.#bytes += (await content.stat(digest))?.size ?? 0;
    // Whoever pushes it again must not find it.
    if (state === "corrupt" && repair) await content.delete(digest);
    return state;
  }

  /** Blobs of repositories. @returns `REPOSITORY@DIGEST` of those that are whole */
  async #links(): Promise<ReadonlySet<string>> {
    const whole = new Set<string>();
    for await (const item of eachItem(this.#request.index, "blob/")) {
      const [repository, digest] = [repositoryOfKey(item.key), digestOfKey(item.key)];
      this.#needed.add(digest);
      const state = await this.#state(digest);
      if (state === "whole") whole.add(`${repository}@${digest}`);
      else await this.#remove(item, { repository, name: digest, problem: `blob is ${state}` });
    }
    return whole;
  }

  async #manifestsAndReferrers(links: ReadonlySet<string>): Promise<void> {
    for await (const item of eachItem(this.#request.index, "manifest/")) {
      const [repository, digest] = [repositoryOfKey(item.key), digestOfKey(item.key)];
      this.#needed.add(digest);
      const state = await this.#state(digest);
      if (state !== "whole") {
        await this.#remove(item, { repository, name: digest, problem: `manifest is ${state}` });
        continue;
      }
      this.#manifests.set(`${repository}@${digest}`, decodeRecord(item) as ManifestRecord);
    }
    for (const [name, { needs, cached, subject }] of this.#manifests) {
      const repository = name.slice(0, name.lastIndexOf("@"));
      const digest = name.slice(name.lastIndexOf("@") + 1) as Digest;
      for (const need of cached === true ? [] : needs) {
        if (links.has(`${repository}@${need}`) || this.#manifests.has(`${repository}@${need}`)) continue;
        this.#tell({
          repository,
          name: digest,
          problem: `manifest needs ${need}, which is not there`,
          repair: undefined,
        });
      }
      if (subject !== undefined) await this.#referrer(repository, digest, subject);
    }
  }

  /** A manifest must be told of as a referrer of its subject. */
  async #referrer(repository: string, digest: Digest, subject: Digest): Promise<void> {
    const { index, content, repair = false } = this.#request;
    const key = keys.referrer(repository, subject, digest);
    if ((await index.range({ start: key })).items.length > 0) return;
    this.#tell({
      repository,
      name: digest,
      problem: `is not told of as a referrer of ${subject}`,
      repair: "is told of",
    });
    if (!repair) return;
    const bytes = await content.read(digest);
    const value = encodeRecord(referrerOf(decodeManifest(bytes), digest, bytes.byteLength));
    await index.transact({ success: [{ kind: "put", key, value }] });
  }

  async #tags(): Promise<number> {
    let count = 0;
    for await (const item of eachItem(this.#request.index, "tag/")) {
      count++;
      const repository = repositoryOfKey(item.key);
      const { digest } = decodeRecord(item) as TagRecord;
      if (this.#manifests.has(`${repository}@${digest}`)) continue;
      const name = item.key.slice(item.key.lastIndexOf("@") + 1);
      await this.#remove(item, { repository, name, problem: `tag leads to ${digest}, which is not there` });
    }
    return count;
  }

  async #referrers(): Promise<void> {
    for await (const item of eachKey(this.#request.index, "referrer/")) {
      const repository = repositoryOfKey(item.key);
      const digest = item.key.slice(item.key.lastIndexOf("/") + 1);
      if (this.#manifests.has(`${repository}@${digest}`)) continue;
      await this.#remove(item, { repository, name: digest, problem: "a referrer is told of that is not there" });
    }
  }

  /** Blobs that are in no repository. */
  async #others(): Promise<void> {
    const { content } = this.#request;
    for await (const { digest } of content.list()) {
      if (this.#needed.has(digest)) continue;
      this.#orphans++;
      if ((await this.#state(digest)) === "corrupt") {
        this.#tell({ repository: "", name: digest, problem: "blob is corrupt", repair: "is removed" });
      }
    }
  }

  async #remove(item: KeyValue, problem: Omit<RegistryProblem, "repair">): Promise<void> {
    this.#tell({ ...problem, repair: "is removed" });
    if (this.#request.repair !== true) return;
    if (!(await removeUnchanged(this.#request.index, item))) return;
    if (!/^(?:blob|manifest)\//.test(item.key)) return;
    const { size } = decodeRecord(item) as BlobRecord | ManifestRecord;
    this.#request.onRemoved?.(problem.repository, size);
  }

  #tell(problem: RegistryProblem): void {
    this.#problems.push(problem);
  }
}
