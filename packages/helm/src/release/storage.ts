import { createHash } from "node:crypto";
import { type JsonObject, type KubeObject, textAt } from "@boxship/api";
import { AlreadyExists, NotFound } from "@boxship/base/errors";
import {
  createObject,
  deleteObject,
  findObject,
  isConflict,
  isNotFound,
  listObjects,
  type Mapping,
  replaceObject,
  type Session,
} from "@boxship/kubectl/cluster";
import { decodeRelease, encodeRelease, type Release, type Status } from "./release.ts";

const TYPE = "helm.sh/release.v1";
/** A Secret holds at most a megabyte; what is longer is cut. */
const CHUNK = 900_000;
const CHUNKS = "boxship.dev/chunks";
const CHUNK_SET = "boxship.dev/chunk-set";
const CHUNK_OF = "boxship.dev/chunk-of";

/** Labels that Helm sets. */
const OWN_LABELS: ReadonlySet<string> = new Set(["name", "owner", "status", "version", "createdAt", "modifiedAt"]);

/** @param set empty for pieces that were written by the first versions */
const pieceName = (name: string, set: string, at: number): string =>
  set === "" ? `${name}.part-${at}` : `${name}.part-${set}-${at}`;

export const secretName = (name: string, version: number): string => `sh.helm.release.v1.${name}.v${version}`;

/** Releases of a namespace, in Secrets or ConfigMaps as Helm keeps them. */
export class ReleaseStorage {
  readonly #session: Session;
  readonly #namespace: string;
  readonly #mapping: Mapping;

  private constructor(session: Session, namespace: string, mapping: Mapping) {
    this.#session = session;
    this.#namespace = namespace;
    this.#mapping = mapping;
  }

  /** Where `HELM_DRIVER` says, in Secrets or ConfigMaps. @param namespace empty for all */
  static async open(session: Session, namespace: string): Promise<ReleaseStorage> {
    const kind = session.io.env["HELM_DRIVER"]?.startsWith("configmap") === true ? "configmaps" : "secrets";
    return new ReleaseStorage(session, namespace, (await session.mapper()).known("", kind));
  }

  get #isSecret(): boolean {
    return this.#mapping.kind === "Secret";
  }

  #type(): JsonObject {
    return { apiVersion: "v1", kind: this.#mapping.kind, ...(this.#isSecret && { type: TYPE }) };
  }

  /** Secrets hold base64 of the text. */
  #data(text: string): JsonObject {
    return { release: this.#isSecret ? Buffer.from(text).toString("base64") : text };
  }

  #textOf(object: KubeObject): string {
    const data = textAt(object, "data", "release");
    return this.#isSecret ? Buffer.from(data, "base64").toString() : data;
  }

  #place(name: string) {
    return { mapping: this.#mapping, namespace: this.#namespace, name };
  }

  /** @throws AlreadyExists where somebody else was quicker */
  async create(release: Release, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    const name = secretName(release.name, release.version);
    try {
      await this.#write(release, labels, "createdAt", (object) =>
        createObject(this.#session, this.#place(name), object),
      );
    } catch (error) {
      if (!isConflict(error) && !(error instanceof AlreadyExists)) throw error;
      throw new AlreadyExists(
        `revision ${release.version} of release ${release.name} was made by another command meanwhile`,
        {
          cause: error,
        },
      );
    }
  }

  /** What users have given a revision. */
  async labelsOf({ name, version }: Pick<Release, "name" | "version">): Promise<Readonly<Record<string, string>>> {
    const { metadata } = (await findObject(this.#session, this.#place(secretName(name, version)))) ?? {};
    return Object.fromEntries(Object.entries(metadata?.labels ?? {}).filter(([label]) => !OWN_LABELS.has(label)));
  }

  async update(release: Release): Promise<void> {
    const place = this.#place(secretName(release.name, release.version));
    const before = await findObject(this.#session, place);
    const labels = (before?.metadata.labels ?? {}) as Readonly<Record<string, string>>;
    await this.#write(release, labels, "modifiedAt", (object) => replaceObject(this.#session, place, object));
  }

  /**
   * Pieces first, each time under other names: a release is there, and is another, when its Secret is. Those that it had before
   * go afterwards.
   */
  async #write(
    release: Release,
    labels: Readonly<Record<string, string>>,
    stamp: string,
    write: (object: JsonObject) => Promise<KubeObject>,
  ): Promise<void> {
    const name = secretName(release.name, release.version);
    const text = await encodeRelease(release);
    const pieces = text.match(new RegExp(`.{1,${CHUNK}}`, "gs")) ?? [""];
    const set = createHash("sha256").update(text).digest("hex").slice(0, 10);
    for (const [at, piece] of pieces.entries()) {
      if (at > 0) await this.#writePiece(pieceName(name, set, at), name, piece);
    }
    await write({
      ...this.#type(),
      metadata: {
        name,
        namespace: this.#namespace,
        labels: {
          ...labels,
          name: release.name,
          owner: "helm",
          status: release.info.status,
          version: String(release.version),
          [stamp]: String(Math.trunc(Date.now() / 1000)),
        },
        ...(pieces.length > 1 && { annotations: { [CHUNKS]: String(pieces.length), [CHUNK_SET]: set } }),
      },
      data: this.#data(pieces[0] ?? ""),
    });
    await this.#deletePieces(name, new Set(pieces.map((_, at) => pieceName(name, set, at))));
  }

  async #deletePieces(of: string, kept: ReadonlySet<string> = new Set()): Promise<void> {
    const pieces = await this.#pieces(of);
    for (const name of pieces.filter((one) => !kept.has(one))) await this.#deleteOne(name);
  }

  async #pieces(of: string): Promise<readonly string[]> {
    const labelSelector = `${CHUNK_OF}=${of}`;
    const found = await listObjects(this.#session, this.#mapping, this.#namespace, { labelSelector });
    return found.map(({ metadata }) => metadata.name ?? "");
  }

  async #deleteOne(name: string): Promise<void> {
    await deleteObject(this.#session, this.#place(name), {}).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
    });
  }

  async #writePiece(name: string, of: string, piece: string): Promise<void> {
    const object: JsonObject = {
      ...this.#type(),
      metadata: { name, namespace: this.#namespace, labels: { [CHUNK_OF]: of } },
      data: this.#data(piece),
    };
    const there = await findObject(this.#session, this.#place(name));
    if (there === undefined) await createObject(this.#session, this.#place(name), object);
    else await replaceObject(this.#session, this.#place(name), object);
  }

  async #read(secret: KubeObject): Promise<Release> {
    const { name, namespace = this.#namespace, annotations } = secret.metadata;
    let text = this.#textOf(secret);
    const pieces = Number(annotations?.[CHUNKS] ?? 1);
    for (let at = 1; at < pieces; at++) {
      const part = pieceName(name ?? "", annotations?.[CHUNK_SET] ?? "", at);
      const piece = await findObject(this.#session, { mapping: this.#mapping, namespace, name: part });
      if (piece === undefined) throw new NotFound(`secret ${part} of a release is missing`);
      text += this.#textOf(piece);
    }
    return await decodeRelease(text, name ?? "");
  }

  /** All revisions, the oldest first. @param name of one release */
  async list(name?: string, status?: readonly Status[], selector = ""): Promise<readonly Release[]> {
    const labelSelector = `owner=helm${name === undefined ? "" : `,name=${name}`}${status === undefined ? "" : `,status in (${status.join(",")})`}${selector === "" ? "" : `,${selector}`}`;
    const found = await listObjects(this.#session, this.#mapping, this.#namespace, { labelSelector });
    const isRelease = (one: KubeObject): boolean => !this.#isSecret || textAt(one, "type") === TYPE;
    const releases = await Promise.all(found.filter(isRelease).map((one) => this.#read(one)));
    return releases.sort((a, b) => a.version - b.version);
  }

  async last(name: string): Promise<Release | undefined> {
    return (await this.list(name)).at(-1);
  }

  /** @throws NotFound */
  async get(name: string, version = 0): Promise<Release> {
    const all = await this.list(name);
    const found = version === 0 ? all.at(-1) : all.find((one) => one.version === version);
    if (found === undefined)
      throw new NotFound(`release: not found: ${name}${version === 0 ? "" : ` revision ${version}`}`);
    return found;
  }

  async delete(release: Release): Promise<void> {
    const secret = secretName(release.name, release.version);
    // Without its pieces it could not be read, and they alone would be found by nobody: it gets along without them first.
    if ((await this.#pieces(secret)).length > 0) {
      const metadata = release.chart["metadata"] ?? {};
      await this.update({ ...release, manifest: "", hooks: [], config: {}, chart: { metadata } });
    }
    await this.#deleteOne(secret);
  }
}
