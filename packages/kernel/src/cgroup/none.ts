import { NotFound, Unsupported } from "@boxship/base";
import type { Cgroup, CgroupTree } from "./contract.ts";
import { groupName } from "./group.ts";
import type { CgroupStats } from "./stats.ts";

const REFUSAL = "this process may not change control groups";
const REMEDY = "use an engine that root has started";

/** Where no tree may be written: no group ever exists, and whatever needs one is refused. */
export class CgroupTreeNone implements CgroupTree {
  readonly layout = "none";
  readonly controllers: ReadonlySet<string> = new Set();

  create(name: string): Promise<Cgroup> {
    return Promise.reject(refused(`cgroup ${groupName(name)} cannot be made`));
  }

  open(name: string): Cgroup {
    return new NoCgroup(groupName(name));
  }
}

function refused(what: string): Unsupported {
  return new Unsupported(`${what}: ${REFUSAL}`, { remedy: REMEDY });
}

class NoCgroup implements Cgroup {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }

  path(): undefined {
    return undefined;
  }

  exists(): boolean {
    return false;
  }

  setLimits(): Promise<void> {
    return Promise.reject(refused("limits cannot be set"));
  }

  stats(): Promise<CgroupStats> {
    return Promise.resolve({ cpu: undefined, memory: undefined, pids: undefined, io: undefined });
  }

  freeze(): Promise<void> {
    return Promise.reject(refused("processes cannot be frozen"));
  }

  thaw(): Promise<void> {
    return Promise.reject(refused("processes cannot be frozen"));
  }

  frozen(): boolean {
    return false;
  }

  removeNow(): boolean {
    return true;
  }

  outOfMemoryKills(): number {
    return 0;
  }

  processes(): Promise<readonly number[]> {
    return Promise.resolve([]);
  }

  addProcess(): Promise<void> {
    return Promise.reject(new NotFound(`cgroup ${this.name} does not exist`));
  }

  killAll(): Promise<void> {
    return Promise.resolve();
  }

  delete(): Promise<void> {
    return Promise.resolve();
  }

  watchOutOfMemory(): Disposable {
    throw refused("out-of-memory events need the memory controller");
  }

  watchEmpty(callback: () => void): Disposable {
    const timer = setImmediate(callback);
    return { [Symbol.dispose]: () => clearImmediate(timer) };
  }
}
