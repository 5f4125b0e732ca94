import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { InvalidArgument } from "@boxship/base";

export const EXEC_FILES = ["pid", "process.json", "container", "console"] as const;

/** Where everything of an instance lies below its `runDir`. */
export class Layout {
  readonly runDir: string;
  /** Exit files: conmon writes `exits/<id>` with the exit code and renames it into place. */
  readonly exits: string;
  readonly execs: string;
  readonly bundles: string;

  constructor(runDir: string) {
    this.runDir = runDir;
    this.bundles = join(runDir, "containers");
    this.exits = join(runDir, "exits");
    this.execs = join(runDir, "execs");
  }

  make(): void {
    for (const directory of [this.bundles, this.exits, this.execs])
      mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  bundle(id: string): string {
    return join(this.bundles, id);
  }

  /** `config.json`, `record.json`, `pid`, `conmon.pid`, and conmon's `attach` and `ctl`. */
  bundleFile(id: string, name: string): string {
    return join(this.bundles, id, name);
  }

  exitFile(id: string): string {
    return join(this.exits, id);
  }

  /** `container` holds the id of the container it runs in, `console` is a socket. */
  execFile(execId: string, name: (typeof EXEC_FILES)[number]): string {
    return join(this.execs, `${execId}.${name}`);
  }

  /** A runtime's `--root`. */
  stateRoot(runtime: string): string {
    return join(this.runDir, "state", runtime);
  }
}

/** Names become file names and arguments: nothing that could be taken for another path or an option. */
export function checkId(kind: "container" | "exec", id: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id)) return;
  throw new InvalidArgument(`${kind} id ${JSON.stringify(id)}: only letters, digits, '_', '.' and '-' are allowed`);
}

/** Whether a clean absolute path is a directory or lies in it. */
export function isBelow(path: string, directory: string): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}
