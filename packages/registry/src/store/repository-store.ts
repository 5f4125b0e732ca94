import { type Clock, Conflict, InvalidArgument, NotFound, systemClock, Unsupported } from "@boxship/base";
import { type Digest, decodeManifest, digestAlgorithm, digestOf, isDigest } from "@boxship/oci";
import { type Compare, type Operation, type Store } from "@boxship/store";
import type { BlobStore } from "../blobs/contract.ts";
import type { Quotas } from "../policy/quotas.ts";
import type { ImageSource } from "./image-source.ts";
import { digestOfKey, eachItem, eachKey } from "./index-walk.ts";
import { keys } from "./keys.ts";
import { checkReferrer, manifestNeeds, type Need, referrerOf } from "./manifest-needs.ts";
import { mergePages, pageOf } from "./merge-pages.ts";
import { checkRepository, checkTag } from "./names.ts";
import { NeededDigests } from "./needed-digests.ts";
import {
  type BlobRecord,
  decodeRecord,
  encodeRecord,
  type ManifestRecord,
  type ReferrerRecord,
  type TagRecord,
} from "./records.ts";
import { type Page, type PageRequest, RepositoryIndex } from "./repository-index.ts";

export interface RepositoryStoreOptions {
  /** What belongs to which repository, and under which name. */
  readonly index: Store;
  /** The bytes. */
  readonly content: BlobStore;
  /** What is served besides what was pushed. @default nothing */
  readonly source?: ImageSource;
  /** Tags, once pushed, stay what they are. @default false */
  readonly immutableTags?: boolean;
  /** How much repositories may take. @default as much as they like */
  readonly quotas?: Quotas;
  readonly clock?: Clock;
}

/** So many are read at a time: each has its annotations. */
const FEW_REFERRERS = 16;

export interface StoredManifest extends Pick<ManifestRecord, "mediaType" | "size" | "subject"> {
  readonly digest: Digest;
}

/**
 * Repositories: which manifests, tags and blobs each has. A blob is stored once, and served only by the repositories that
 * it was pushed or mounted to. Every change is one transaction, durable when it resolves.
 */
export class RepositoryStore {
  readonly content: BlobStore;
  readonly #index: Store;
  readonly #source: ImageSource | undefined;
  readonly #records: RepositoryIndex;
  readonly #needed: NeededDigests;
  readonly #clock: Clock;
  readonly #immutableTags: boolean;
  readonly #quotas: Quotas | undefined;

  constructor({ index, content, source, immutableTags = false, quotas, clock = systemClock }: RepositoryStoreOptions) {
    this.#quotas = quotas;
    this.#index = index;
    this.#records = new RepositoryIndex(index, quotas);
    this.#needed = new NeededDigests(clock);
    this.#source = source;
    this.content = content;
    this.#immutableTags = immutableTags;
    this.#clock = clock;
  }

  /**
   * As {@link blob}, for whoever wants to know whether it must be pushed: what is found stays for the next hour.
   *
   * @throws NotFound
   */
  async askForBlob(repository: string, digest: Digest): Promise<Pick<BlobRecord, "size">> {
    this.#needed.note([digest]);
    // What is just being removed is not found.
    await this.#needed.settled(digest);
    return this.blob(repository, digest);
  }

  /** Size of a blob that the repository may serve. @throws NotFound */
  async blob(repository: string, digest: Digest): Promise<Pick<BlobRecord, "size">> {
    const record = await this.#records.get<BlobRecord>(keys.blob(repository, digest));
    if (record !== undefined) return record;
    const other = await this.#blobOfSource(repository, digest);
    if (other !== undefined) return other;
    throw new NotFound(`blob ${digest} is not in repository ${repository}`, {
      subject: { kind: "blob", name: digest },
    });
  }

  /** A blob that was pushed or mounted to the repository. */
  own(repository: string, digest: Digest): Promise<Pick<BlobRecord, "size"> | undefined> {
    return this.#records.get<BlobRecord>(keys.blob(repository, digest));
  }

  /**
   * Lets a repository serve a blob that is in the content store.
   *
   * @param taking called just before the blob counts against the quota
   * @throws ResourceExhausted beyond its quota
   */
  async linkBlob(repository: string, digest: Digest, size: number, taking = () => {}): Promise<void> {
    const record: BlobRecord = { size, pushedAt: this.#clock.now() };
    const key = keys.blob(repository, digest);
    this.#needed.note([digest]);
    await this.#records.within(
      repository,
      key,
      size,
      () => this.#records.transact([], [put(key, record)], key),
      taking,
    );
  }

  /** Bytes that the repository may still take. */
  room(repository: string): number {
    return this.#quotas?.room(repository) ?? Infinity;
  }

  /** More, or with a negative number less, has arrived of uploads to it that have not ended. */
  expect(repository: string, bytes: number): void {
    this.#quotas?.expect(repository, bytes);
  }

  /** What whoever pushes to the repository should know. */
  warning(repository: string): string | undefined {
    return this.#quotas?.warning(repository);
  }

  /** Lets `repository` serve a blob of another one. False where that does not have it. */
  async mountBlob(repository: string, from: string, digest: Digest): Promise<boolean> {
    using lease = this.content.lease();
    lease.add(digest);
    const record = await this.#records.get<BlobRecord>(keys.blob(from, digest));
    const found = record === undefined ? await this.#blobOfSource(from, digest) : await this.content.stat(digest);
    if (found === undefined) return false;
    await this.linkBlob(repository, digest, found.size);
    return true;
  }

  /**
   * Takes the blob from the repository; its bytes go with the next collection.
   *
   * @throws NotFound, Unsupported for one of an engine's image
   */
  async unlinkBlob(repository: string, digest: Digest): Promise<void> {
    await this.blob(repository, digest);
    const record = await this.#records.get<BlobRecord>(keys.blob(repository, digest));
    if (record === undefined) throw notPushed("blob", digest);
    await this.#records.remove(repository, keys.blob(repository, digest), record.size, []);
  }

  /** The manifest that a tag or a digest names. @throws NotFound, InvalidArgument */
  async manifest(repository: string, reference: string): Promise<StoredManifest> {
    const found = (await this.#pushed(repository, reference)) ?? this.#ofSource(repository, reference);
    if (found !== undefined) return found;
    throw new NotFound(`manifest ${reference} is not in repository ${repository}`, {
      subject: { kind: "manifest", name: reference },
    });
  }

  async #pushed(repository: string, reference: string): Promise<StoredManifest | undefined> {
    const digest = isDigest(reference) ? reference : (await this.#tag(repository, checkTag(reference)))?.digest;
    if (digest === undefined) return undefined;
    const record = await this.#records.get<ManifestRecord>(keys.manifest(repository, digest));
    return record && { digest, ...record };
  }

  #ofSource(repository: string, reference: string): StoredManifest | undefined {
    if (!isDigest(reference)) return this.#source?.tags(repository).get(reference);
    return this.#source?.manifest(repository, reference);
  }

  #tag(repository: string, tag: string): Promise<TagRecord | undefined> {
    return this.#records.get<TagRecord>(keys.tag(repository, tag));
  }

  /**
   * Stores a manifest whose blobs (or, of an index, manifests) the repository has already.
   *
   * @param reference the tag that it gets, or the digest that it must have
   * @param moreTags tags that it gets besides
   * @throws InvalidArgument if it is malformed, has another digest, or needs what is not there; Conflict for a tag that
   *   must not change
   */
  async putManifest(
    repository: string,
    reference: string,
    bytes: Uint8Array,
    mediaType: string | undefined,
    moreTags: readonly string[] = [],
  ): Promise<StoredManifest> {
    const tags = [...(isDigest(reference) ? [] : [reference]), ...moreTags].map(checkTag);
    const digest = digestOf(bytes, isDigest(reference) ? digestAlgorithm(reference) : "sha256");
    if (isDigest(reference) && digest !== reference) {
      throw new InvalidArgument(`the manifest has the digest ${digest}, not ${reference}`, {
        subject: { kind: "digest", name: reference },
      });
    }
    const manifest = readManifest(bytes, mediaType);
    checkReferrer(manifest);
    const needs = manifestNeeds(manifest);
    const now = this.#clock.now();
    const { subject } = manifest;
    const record: ManifestRecord = {
      mediaType: manifest.mediaType,
      size: bytes.byteLength,
      needs: needs.map((need) => need.digest),
      ...(subject !== undefined && { subject: subject.digest }),
      pushedAt: now,
    };
    using lease = this.content.lease();
    for (const need of [...record.needs, digest]) lease.add(need);
    this.#needed.note([...record.needs, digest]);
    await this.content.put(bytes, digest);
    await this.#adopt(repository, needs);
    const operations = [put(keys.repository(repository), {}), put(keys.manifest(repository, digest), record)];
    for (const tag of tags) operations.push(put(keys.tag(repository, tag), { digest, pushedAt: now }));
    if (subject !== undefined) {
      const referrer = referrerOf(manifest, digest, bytes.byteLength);
      operations.push(put(keys.referrer(repository, subject.digest, digest), referrer));
    }
    const there = needs.map(({ kind, digest: need }): Compare => {
      const key = kind === "blob" ? keys.blob(repository, need) : keys.manifest(repository, need);
      return { key, target: "version", is: "greater", value: 0 };
    });
    for (const tag of tags) await this.#checkTagMayBe(repository, tag, digest);
    const key = keys.manifest(repository, digest);
    await this.#records.within(repository, key, bytes.byteLength, () =>
      this.#records.commit(repository, there, operations, key),
    );
    return { digest, ...record };
  }

  /**
   * Stores a manifest of another registry, whose blobs may come later.
   *
   * @throws InvalidArgument if it is malformed, ResourceExhausted beyond the quota
   */
  async cacheManifest(
    repository: string,
    reference: string,
    bytes: Uint8Array,
    mediaType: string | undefined,
    digest: Digest,
  ): Promise<StoredManifest> {
    const manifest = readManifest(bytes, mediaType);
    const now = this.#clock.now();
    const record: ManifestRecord = {
      mediaType: manifest.mediaType,
      size: bytes.byteLength,
      needs: manifestNeeds(manifest).map((need) => need.digest),
      cached: true,
      pushedAt: now,
    };
    using lease = this.content.lease();
    lease.add(digest);
    this.#needed.note([digest]);
    await this.content.put(bytes, digest);
    const success = [put(keys.repository(repository), {}), put(keys.manifest(repository, digest), record)];
    if (!isDigest(reference)) success.push(put(keys.tag(repository, checkTag(reference)), { digest, pushedAt: now }));
    const key = keys.manifest(repository, digest);
    await this.#records.within(repository, key, bytes.byteLength, () => this.#records.transact([], success, key));
    return { digest, ...record };
  }

  /** When a tag was pushed or last found to be right, in milliseconds since the epoch. */
  async taggedAt(repository: string, reference: string): Promise<number | undefined> {
    return isDigest(reference) ? undefined : (await this.#tag(repository, checkTag(reference)))?.pushedAt;
  }

  /** Notes that a tag is right now, if it still stands for the digest. */
  async touchTag(repository: string, tag: string, digest: Digest): Promise<void> {
    const now = this.#clock.now();
    const present = await this.#tag(repository, checkTag(tag));
    // Once an hour is exact enough for what is told of it.
    if (present?.digest !== digest || now - present.pushedAt < 60 * 60 * 1000) return;
    const value = encodeRecord({ digest, pushedAt: now });
    await this.#index.transact({ success: [{ kind: "put", key: keys.tag(repository, tag), value }] });
  }

  /** A client that found a blob of the source here does not push it: it belongs to the repository from now on. */
  async #adopt(repository: string, needs: readonly Need[]): Promise<void> {
    if (this.#source === undefined) return;
    for (const { kind, digest } of needs) {
      if (kind !== "blob" || (await this.#records.get(keys.blob(repository, digest))) !== undefined) continue;
      const found = await this.#blobOfSource(repository, digest);
      if (found !== undefined) await this.linkBlob(repository, digest, found.size);
    }
  }

  async #blobOfSource(repository: string, digest: Digest): Promise<{ readonly size: number } | undefined> {
    return this.#source?.hasBlob(repository, digest) === true ? this.content.stat(digest) : undefined;
  }

  async #checkTagMayBe(repository: string, tag: string, digest: Digest): Promise<void> {
    if (!this.#immutableTags) return;
    const present = await this.#tag(repository, tag);
    if (present === undefined || present.digest === digest) return;
    throw new Conflict(`tag ${tag} of repository ${repository} is ${present.digest}, and tags do not change here`, {
      subject: { kind: "tag", name: tag },
      remedy: "push another tag",
    });
  }

  /**
   * Removes a tag, or a manifest with all of its tags.
   *
   * @returns the tags that are gone
   * @throws NotFound, Unsupported for an engine's image
   */
  async deleteManifest(repository: string, reference: string): Promise<readonly string[]> {
    const pushed = await this.#pushed(repository, reference);
    if (pushed === undefined) {
      await this.manifest(repository, reference);
      throw notPushed("manifest", reference);
    }
    const { digest, subject } = pushed;
    const remove = (key: string): Operation => ({ kind: "delete", range: { start: key } });
    if (!isDigest(reference)) {
      await this.#index.transact({ success: [remove(keys.tag(repository, reference))] });
      return [reference];
    }
    const also = subject === undefined ? [] : [keys.referrer(repository, subject, digest)];
    const tags: string[] = [];
    // A tag that was moved meanwhile is somebody else's; those of a manifest that is gone lead nowhere.
    for await (const item of eachItem(this.#index, keys.tags(repository))) {
      if ((decodeRecord(item) as TagRecord).digest !== digest) continue;
      const { key, modRevision } = item;
      const compare: Compare[] = [{ key, target: "modRevision", value: modRevision }];
      await this.#index.transact({ compare, success: [remove(key)] });
      tags.push(key.slice(keys.tags(repository).length));
    }
    await this.#records.remove(repository, keys.manifest(repository, digest), pushed.size, also);
    return tags;
  }

  /** @throws NotFound for a repository that nothing was ever pushed to */
  async tags(repository: string, page: PageRequest = {}): Promise<Page> {
    const others = this.#source?.tags(repository);
    if (others !== undefined && others.size > 0) {
      return mergePages(await this.#records.page(keys.tags(repository), page), pageOf(others.keys(), page), page);
    }
    if ((await this.#records.get(keys.repository(repository))) === undefined) {
      throw new NotFound(`repository ${repository} is not known to this registry`, {
        subject: { kind: "repository", name: repository },
      });
    }
    return this.#records.page(keys.tags(repository), page);
  }

  async repositories(page: PageRequest = {}): Promise<Page> {
    const pushed = await this.#records.page(keys.repositories, page);
    return this.#source === undefined ? pushed : mergePages(pushed, pageOf(this.#source.repositories(), page), page);
  }

  /** Every digest that a repository has or needs: to be asked by sweeps of a store that others use too. */
  async kept(): Promise<ReadonlySet<Digest>> {
    const kept = new Set<Digest>();
    for await (const { key } of eachKey(this.#index, "blob/")) kept.add(digestOfKey(key));
    for await (const item of eachItem(this.#index, "manifest/")) {
      kept.add(digestOfKey(item.key));
      for (const need of (decodeRecord(item) as ManifestRecord).needs) kept.add(need);
    }
    return kept;
  }

  /** Whether a digest was needed anew since {@link kept} may have looked. */
  isNew(digest: Digest): boolean {
    return this.#needed.has(digest);
  }

  /** Whether somebody pushed, named or asked for a digest since then, so that a manifest may come that needs it. */
  neededSince(digest: Digest, since: number): boolean {
    return this.#needed.since(digest, since);
  }

  /** Removes what has to do with a digest, unless that is {@link neededSince} a time. @returns whether it did */
  unlessNeeded(digest: Digest, since: number, remove: () => Promise<boolean>): Promise<boolean> {
    return this.#needed.unless(digest, since, remove);
  }

  /**
   * What names a manifest as its subject, whether that exists or not, in the order of digests.
   *
   * @param after only those that follow this digest; empty for all
   */
  async *referrers(repository: string, subject: Digest, after = ""): AsyncGenerator<ReferrerRecord> {
    const prefix = keys.referrers(repository, subject);
    const options = { after: prefix + after, page: FEW_REFERRERS };
    for await (const item of eachItem(this.#index, prefix, options)) yield decodeRecord(item) as ReferrerRecord;
  }

  static checkName(name: string): string {
    return checkRepository(name);
  }
}

function put(key: string, value: object): Operation {
  return { kind: "put", key, value: encodeRecord(value) };
}

function notPushed(kind: string, name: string): Unsupported {
  return new Unsupported(`${kind} ${name} is of an image of the engine`, {
    subject: { kind: "image", name },
    remedy: "remove the image from the engine",
  });
}

function readManifest(bytes: Uint8Array, mediaType: string | undefined) {
  try {
    return decodeManifest(bytes, mediaType === undefined ? {} : { mediaType });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new InvalidArgument(error.message, { cause: error, subject: { kind: "manifest", name: "manifest" } });
  }
}
