import { KeyedMutex } from "@boxship/base";
import type { EngineContext } from "@boxship/engine";
import { CurrentDirectory, descriptorPath, OpenFlag, openat } from "@boxship/kernel";
import { dropUnchangedDirectories, findMountStubs, removeMountStubs } from "../files/files.ts";
import type { MountStub } from "../files/mount-stubs.ts";

interface OpenRoot {
  /** Commands and copies that are under way. */
  users: number;
  /** Somebody wants to see it. */
  held: boolean;
  /** Commands that run. */
  commands: number;
  /** What was made only to mount something on it while commands run. */
  readonly stubs: Map<string, MountStub>;
  /** Directories that say nothing new when they are as below. */
  readonly touched: Set<string>;
}

/** Which file systems of working containers are mounted, and for whom. */
export class OpenRoots {
  readonly #engine: EngineContext;
  readonly #open = new Map<string, OpenRoot>();
  readonly #locks = new KeyedMutex();

  constructor(engine: EngineContext) {
    this.#engine = engine;
  }

  /** After a restart: a mount that nobody asked for is the rest of something that was cut off. */
  takeOver(id: string, held: boolean): Promise<void> {
    return this.#locks.run(id, async () => {
      const { snapshotter } = this.#engine;
      if (held) {
        this.#rootOf(id).held = true;
        snapshotter.mountContainer(id);
      } else await snapshotter.unmountContainer(id);
    });
  }

  /** Mounts it until it is let go of. */
  hold(id: string): Promise<string> {
    return this.#locks.run(id, () => {
      const path = this.#engine.snapshotter.mountContainer(id);
      this.#rootOf(id).held = true;
      return Promise.resolve(path);
    });
  }

  letGo(id: string): Promise<void> {
    return this.#locks.run(id, async () => {
      this.#rootOf(id).held = false;
      await this.#close(id);
    });
  }

  /** Mounts it for a while. */
  async use(id: string): Promise<AsyncDisposable & { readonly path: string }> {
    const path = await this.#locks.run(id, () => {
      const mounted = this.#engine.snapshotter.mountContainer(id);
      this.#rootOf(id).users++;
      return Promise.resolve(mounted);
    });
    return {
      path,
      [Symbol.asyncDispose]: () =>
        this.#locks.run(id, async () => {
          this.#rootOf(id).users--;
          await this.#close(id);
        }),
    };
  }

  /** Mounts it for a command, and takes away afterwards what was made only to mount something on it. */
  async useForCommand(
    id: string,
    mountPoints: readonly string[],
  ): Promise<AsyncDisposable & { readonly path: string }> {
    const used = await this.use(id);
    try {
      await this.#locks.run(id, async () => {
        const root = this.#rootOf(id);
        for (const stub of await findMountStubs(used.path, mountPoints)) {
          if (!root.stubs.has(stub.path)) root.stubs.set(stub.path, stub);
          root.touched.add(stub.path).add(stub.above);
        }
        root.commands++;
      });
    } catch (error) {
      await used[Symbol.asyncDispose]();
      throw error;
    }
    return {
      path: used.path,
      [Symbol.asyncDispose]: async () => {
        await this.#locks.run(id, async () => {
          const root = this.#rootOf(id);
          if (--root.commands > 0) return;
          await removeMountStubs(used.path, [...root.stubs.values()]);
          root.stubs.clear();
        });
        await used[Symbol.asyncDispose]();
      },
    };
  }

  /** What is there only because commands run. */
  stubsOf(id: string): readonly string[] {
    return [...(this.#open.get(id)?.stubs.keys() ?? [])];
  }

  /** Takes directories out of the writable layer that say nothing; where nobody has it mounted. */
  tidy(id: string): Promise<void> {
    return this.#locks.run(id, async () => {
      const root = this.#open.get(id);
      const { snapshotter } = this.#engine;
      if (root === undefined || root.users > 0 || root.held || root.touched.size === 0) return;
      using open = new DisposableStack();
      const lowers = snapshotter
        .lowerDirectories(id)
        .map((path) => descriptorPath(open.use(openat(CurrentDirectory, path, OpenFlag.Path | OpenFlag.Directory))));
      await dropUnchangedDirectories(snapshotter.upperDirectory(id), lowers, [...root.touched]);
      root.touched.clear();
    });
  }

  remove(id: string): Promise<void> {
    return this.#locks.run(id, async () => {
      await this.#engine.snapshotter.removeContainer(id);
      this.#open.delete(id);
    });
  }

  #rootOf(id: string): OpenRoot {
    let root = this.#open.get(id);
    if (root === undefined) {
      root = { users: 0, held: false, commands: 0, stubs: new Map(), touched: new Set() };
      this.#open.set(id, root);
    }
    return root;
  }

  async #close(id: string): Promise<void> {
    const { users, held } = this.#rootOf(id);
    if (users === 0 && !held) await this.#engine.snapshotter.unmountContainer(id);
  }
}
