import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { AlreadyExists, InvalidArgument, KeyedMutex, NotFound } from "@boxship/base";
import type { ContentKeeper, StreamSession } from "@boxship/engine";
import { chainIds, configPlatform, familiarReference, hostPlatform, pairLayers } from "@boxship/oci";
import { readHead } from "../remote/remote-door.ts";
import { scratchState } from "../solver/base-image.ts";
import type { BuilderParts } from "../solver/session.ts";
import { chainOf } from "../solver/state.ts";
import { ensureUnpacked, newWorkingId } from "../solver/working-layer.ts";
import { readChanges, readCommand, readCommit, readCopy, readCreate } from "./bodies.ts";
import { changeConfig } from "./change-config.ts";
import { OpenRoots } from "./open-roots.ts";
import { WORKING_VERSION, type WorkingRecord, WorkingStore } from "./record.ts";
import { commitWorking } from "./working-commit.ts";
import type { WorkingCommand, WorkingDoor, WorkingView } from "./working-contract.ts";
import { copyIntoWorking } from "./working-copy.ts";
import { type RunningCommand, startCommand } from "./working-run.ts";
import { workingSession } from "./working-session.ts";

/** Whose file systems they are, in the snapshot store. */
const OWNER = "working container";
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_. -]*$/;
/** How long the exit code of a command can be asked for. */
const KEPT_RUNS = 256;

interface Run {
  readonly containerId: string;
  readonly command: WorkingCommand;
  running?: RunningCommand;
  exitCode?: number;
}

/** The working containers of an instance, see {@link WorkingDoor}. Disposing ends what runs in them. */
export class WorkingContainers implements WorkingDoor, ContentKeeper, AsyncDisposable {
  readonly #parts: BuilderParts;
  readonly #store: WorkingStore;
  readonly #roots: OpenRoots;
  readonly #names = new KeyedMutex();
  readonly #runs = new Map<string, Run>();
  readonly #stop = new AbortController();
  readonly #working = new Set<Promise<unknown>>();

  private constructor(parts: BuilderParts, store: WorkingStore) {
    this.#parts = parts;
    this.#store = store;
    this.#roots = new OpenRoots(parts.engine);
  }

  /** Takes over what an earlier process left: file systems without a record go, those that were mounted are again. */
  static async open(parts: BuilderParts): Promise<WorkingContainers> {
    const { logger, snapshotter } = parts.engine;
    const store = await WorkingStore.open(join(parts.root, "working"), logger);
    const containers = new WorkingContainers(parts, store);
    for (const { id, owner } of snapshotter.listContainers()) {
      if (owner === OWNER && store.get(id) === undefined) await snapshotter.removeContainer(id);
    }
    for (const record of store.all()) {
      if (!snapshotter.hasContainer(record.id)) {
        logger.error("the files of a working container are gone; it is removed", { container: record.name });
        await store.remove(record.id);
        continue;
      }
      await containers.#roots.takeOver(record.id, record.mounted);
    }
    return containers;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const { running } of this.#runs.values()) running?.end();
    await Promise.allSettled([...this.#working, ...[...this.#runs.values()].map(({ running }) => running?.ended)]);
  }

  *chains(): Iterable<string> {
    for (const { layers } of this.#store.all()) yield* chainIds(layers.map(({ diffId }) => diffId));
  }

  *blobs(): Iterable<string> {
    for (const { layers } of this.#store.all()) for (const { descriptor } of layers) yield descriptor.digest;
  }

  list(): readonly WorkingView[] {
    return this.#store.all().map((record) => this.#view(record));
  }

  get(ref: string): WorkingView {
    return this.#view(this.#resolve(ref));
  }

  async create(body: unknown, signal: AbortSignal): Promise<WorkingView> {
    const { from, name, settings = {} } = readCreate(body);
    const { engine } = this.#parts;
    return this.#busy(() =>
      engine.images.writing(async () => {
        const base = this.#baseOf(from);
        await using session = workingSession(this.#parts, AbortSignal.any([signal, this.#stop.signal]));
        await ensureUnpacked(session, base.layers);
        const id = newWorkingId();
        return await this.#names.run("names", async () => {
          const record: WorkingRecord = {
            version: WORKING_VERSION,
            id,
            name: name === undefined ? this.#freeName(base.fromImage) : this.#checkName(name),
            created: engine.clock.now(),
            settings,
            mounted: false,
            ...base,
          };
          await engine.snapshotter.createContainer(id, chainOf(base.layers), { owner: OWNER });
          try {
            await this.#store.save(record);
          } catch (error) {
            await engine.snapshotter.removeContainer(id);
            throw error;
          }
          return this.#view(record);
        });
      }),
    );
  }

  async rename(ref: string, name: string): Promise<void> {
    await this.#change(ref, (record) => ({ ...record, name: record.name === name ? name : this.#checkName(name) }));
  }

  async remove(ref: string): Promise<{ readonly id: string }> {
    const { id } = this.#resolve(ref);
    for (const { containerId, running } of this.#runs.values()) {
      if (containerId !== id) continue;
      running?.end();
      await running?.ended;
    }
    await this.#names.run(id, async () => {
      await this.#store.remove(id);
      await this.#roots.remove(id);
    });
    // Layers that only it needed.
    this.#parts.engine.background.run("removing layers of a working container", () =>
      this.#parts.engine.images.sweep(),
    );
    return { id };
  }

  async configure(ref: string, body: unknown): Promise<WorkingView> {
    const changes = readChanges(body);
    const now = new Date(this.#parts.engine.clock.now()).toISOString();
    return this.#view(await this.#change(ref, (record) => changeConfig(record, changes, now)));
  }

  async mount(ref: string): Promise<string> {
    const { id } = this.#resolve(ref);
    const path = await this.#roots.hold(id);
    await this.#change(id, (record) => ({ ...record, mounted: true }));
    return path;
  }

  async unmount(ref: string): Promise<boolean> {
    const { id, mounted } = this.#resolve(ref);
    if (!mounted) return false;
    await this.#change(id, (record) => ({ ...record, mounted: false }));
    await this.#roots.letGo(id);
    return true;
  }

  async copy(ref: string, body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<{ readonly digest: string }> {
    const { head, rest } = await readHead(body);
    const request = readCopy(head);
    const record = this.#resolve(ref);
    const either = AbortSignal.any([signal, this.#stop.signal]);
    const tree = (name: string) => this.#treeOf(name);
    const copied = await this.#busy(async () => {
      await using root = await this.#roots.use(record.id);
      const parts = { builder: this.#parts, record, root: root.path, tree };
      return await copyIntoWorking(parts, request, rest, either);
    });
    if (request.addHistory === true) await this.#note(record.id, copied.history);
    return { digest: copied.digest };
  }

  commit(ref: string, body: unknown, signal: AbortSignal): Promise<{ readonly id: string }> {
    const request = readCommit(body);
    const { id } = this.#resolve(ref);
    const either = AbortSignal.any([signal, this.#stop.signal]);
    return this.#busy(() =>
      this.#parts.engine.images.writing(async () => {
        await this.#roots.tidy(id);
        const stubs = this.#roots.stubsOf(id);
        const image = await commitWorking(
          { builder: this.#parts, roots: this.#roots, stubs },
          this.#resolve(id),
          request,
          either,
        );
        return { id: image };
      }),
    );
  }

  createRun(ref: string, body: unknown): { readonly id: string } {
    const command = readCommand(body);
    if (command.args.length === 0) throw new InvalidArgument("command must be specified");
    const { id: containerId } = this.#resolve(ref);
    const id = randomBytes(32).toString("hex");
    this.#runs.set(id, { containerId, command });
    for (const [old, { running }] of this.#runs) {
      if (this.#runs.size <= KEPT_RUNS) break;
      if (running === undefined || running.exitCode !== undefined) this.#runs.delete(old);
    }
    return { id };
  }

  async startRun(id: string, signal: AbortSignal): Promise<StreamSession> {
    const run = this.#run(id);
    if (run.running !== undefined) throw new InvalidArgument(`command ${id} has been started already`);
    const record = this.#resolve(run.containerId);
    if (run.command.addHistory === true) {
      await this.#note(record.id, `/bin/sh -c ${run.command.args.join(" ")}`);
    }
    const running = await startCommand(
      { builder: this.#parts, roots: this.#roots },
      record,
      id,
      run.command,
      AbortSignal.any([signal, this.#stop.signal]),
    );
    run.running = running;
    return running.session;
  }

  run(id: string): { readonly running: boolean; readonly exitCode?: number } {
    const { running } = this.#run(id);
    const exitCode = running?.exitCode;
    return {
      running: running !== undefined && exitCode === undefined,
      ...(exitCode === undefined ? {} : { exitCode }),
    };
  }

  resizeRun(id: string, size: { readonly height: number; readonly width: number }): void {
    if (this.#run(id).running !== undefined) this.#parts.engine.runtime.resize(id, size);
  }

  #run(id: string): Run {
    const run = this.#runs.get(id);
    if (run === undefined) throw new NotFound(`there is no command ${id}`, { subject: { kind: "command", name: id } });
    return run;
  }

  /** Lets disposing wait for work. */
  async #busy<T>(work: () => Promise<T>): Promise<T> {
    const working = work();
    const settled = working.then(
      () => {},
      () => {},
    );
    this.#working.add(settled);
    try {
      return await working;
    } finally {
      this.#working.delete(settled);
    }
  }

  async #note(id: string, created_by: string): Promise<void> {
    const created = new Date(this.#parts.engine.clock.now()).toISOString();
    await this.#change(id, (record) => ({
      ...record,
      history: [...record.history, { created, created_by, empty_layer: true }],
    }));
  }

  /** One change after the other, each on top of the last. */
  #change(ref: string, change: (record: WorkingRecord) => WorkingRecord): Promise<WorkingRecord> {
    const { id } = this.#resolve(ref);
    return this.#names.run(id, async () => {
      const record = change(this.#resolve(id));
      await this.#store.save(record);
      return record;
    });
  }

  #find(ref: string): WorkingRecord | undefined {
    const all = this.#store.all();
    const exact = all.find(({ name, id }) => name === ref || id === ref);
    if (exact !== undefined || !/^[0-9a-f]+$/.test(ref)) return exact;
    const found = all.filter(({ id }) => id.startsWith(ref));
    if (found.length <= 1) return found[0];
    throw new InvalidArgument(`several working containers have ids that begin with ${ref}`, {
      remedy: "give more digits of the id",
    });
  }

  #resolve(ref: string): WorkingRecord {
    const record = this.#find(ref);
    if (record !== undefined) return record;
    throw new NotFound(`${ref}: container not known`, {
      subject: { kind: "working container", name: ref },
      remedy: "see boxship buildah containers",
    });
  }

  #checkName(name: string): string {
    if (!NAME.test(name)) {
      throw new InvalidArgument(`invalid name of a working container: ${JSON.stringify(name)}`, {
        remedy: "begin it with a letter or digit, and use letters, digits, '_', '.', '-' and blanks",
      });
    }
    const taken = this.#store.all().find((record) => record.name === name);
    if (taken === undefined) return name;
    throw new AlreadyExists(
      `creating container: the container name "${name}" is already in use by ${taken.id}. You have to remove that container to be able to reuse that name: that name is already in use`,
      { subject: { kind: "working container", name } },
    );
  }

  #freeName(image: string): string {
    const [, component = ""] = /([^/@:]+)(?::[^/:]+)?(?:@.*)?$/.exec(image) ?? [];
    const first = image === "scratch" ? "working-container" : `${component}-working-container`;
    const taken = new Set(this.#store.all().map(({ name }) => name));
    for (let number = 0; ; number++) {
      const name = number === 0 ? first : `${first}-${number}`;
      if (!taken.has(name)) return name;
    }
  }

  #baseOf(from: string): Omit<WorkingRecord, "version" | "id" | "name" | "created" | "settings" | "mounted"> {
    if (from === "scratch") {
      const { base } = scratchState(hostPlatform());
      const none = { layers: [], config: {}, history: [], annotations: {} };
      return { fromImage: from, fromImageId: "", fromImageDigest: "", base, ...none };
    }
    const { images } = this.#parts.engine;
    const image = images.store.resolve(from);
    images.store.touch(image.id);
    const { rootfs, config = {}, history = [], created: _created, ...base } = image.config;
    const isId = /^(?:sha256:)?[0-9a-f]{12,64}$/.test(from) && image.tags.length > 0;
    const named = image.tags.find(
      (tag) => familiarReference(tag) === from || familiarReference(tag) === `${from}:latest`,
    );
    const [first] = image.tags;
    const tag = isId ? first : (named ?? first);
    return {
      fromImage: tag === undefined ? from : `${tag.domain}/${tag.path}:${tag.tag}`,
      fromImageId: image.id,
      fromImageDigest: image.manifest?.digest ?? "",
      layers: pairLayers(image.layers, rootfs.diff_ids),
      base: { ...base, architecture: configPlatform(image.config).architecture },
      config,
      history,
      annotations: {},
    };
  }

  /** Where `--from` reads: a working container goes before an image of that name. */
  async #treeOf(
    name: string,
  ): Promise<{ readonly layers: WorkingRecord["layers"] } | (AsyncDisposable & { readonly path: string })> {
    const other = this.#find(name);
    if (other !== undefined) return this.#roots.use(other.id);
    return { layers: this.#baseOf(name).layers };
  }

  #view(record: WorkingRecord): WorkingView {
    const { id, name, fromImage, fromImageId, fromImageDigest, created, mounted, annotations } = record;
    const { createdBy = "", comment = "", hostname = "", domainname = "" } = record;
    return {
      id,
      name,
      fromImage,
      fromImageId,
      fromImageDigest,
      created: new Date(created).toISOString(),
      mountPoint: mounted ? this.#parts.engine.snapshotter.mergedDirectory(id) : "",
      annotations,
      document: {
        created: new Date(created).toISOString(),
        ...record.base,
        config: record.config,
        rootfs: { type: "layers", diff_ids: record.layers.map(({ diffId }) => diffId) },
        history: record.history,
      },
      createdBy,
      comment,
      hostname,
      domainname,
    };
  }
}
