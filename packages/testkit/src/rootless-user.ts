import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { type DelegatedGroup, delegatedGroup } from "./delegated-group.ts";
import { repositoryRoot, runProgram } from "./run-program.ts";
import { type TempDir, tempDir } from "./temp-dir.ts";

/**
 * An ordinary user of a test, whom nobody else on the machine sees: programs run as that user in a mount namespace of
 * their own, with an `/etc/passwd` that knows the name and with `/etc/subuid` and `/etc/subgid` that have ranges for it.
 */
export interface RootlessUser extends AsyncDisposable {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
  /** `XDG_RUNTIME_DIR`. */
  readonly runtimeDir: string;
  readonly directory: TempDir;
  /** In which each of the user's programs has a control group that the user may divide. */
  readonly group: DelegatedGroup | undefined;
  /** A command that runs another as the user; paths of this checkout are shown to the user elsewhere. */
  command(program: readonly string[]): string[];
}

export interface RootlessUserOptions {
  /** Whether the user has subordinate ids. @default true */
  readonly subordinateIds?: boolean;
  /** Whether the user may open `/dev/net/tun`, as udev lets everybody. @default true */
  readonly tun?: boolean;
  /** Whether the user may open `/dev/fuse`, likewise. @default true */
  readonly fuse?: boolean;
  /** Whether the user is given a control group. @default false */
  readonly delegate?: boolean;
  /** @default the system's */
  readonly path?: string;
}

const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Beyond every id that a test user can have. */
export const FIRST_SUBORDINATE = 100_000_000;

/** $1 is the user's directory, $2 the checkout, $3 the id, $4 a control group or nothing; the rest is the environment and the program. */
const script = `set -eu
directory=$1 checkout=$2 id=$3 group=$4
shift 4
if [ -n "$group" ]; then
  mkdir "$group/start-$$"
  chown "$id" "$group/start-$$" "$group/start-$$/cgroup.procs" "$group/start-$$/cgroup.subtree_control"
  echo $$ >"$group/start-$$/cgroup.procs"
fi
for file in passwd group subuid subgid; do mount --bind "$directory/etc/$file" "/etc/$file"; done
[ ! -e "$directory/dev/tun" ] || mount --bind "$directory/dev/tun" /dev/net/tun
[ ! -e "$directory/dev/fuse" ] || [ ! -e /dev/fuse ] || mount --bind "$directory/dev/fuse" /dev/fuse
mount --bind "$checkout" "$directory/checkout"
exec setpriv --reuid "$id" --regid "$id" --clear-groups --inh-caps=-all env -i "$@"`;

async function makeDevice(path: string, minor: string): Promise<void> {
  const { status, stderr } = await runProgram(["mknod", "-m", "666", path, "c", "10", minor]);
  if (status !== 0) throw new Error(`cannot make ${path}: ${stderr}`);
}

let users = 0;

/** Makes a user. Needs root. Disposing removes the user's files, processes are the caller's. */
export async function rootlessUser(options: RootlessUserOptions = {}): Promise<RootlessUser> {
  const directory = tempDir("rootless");
  const uid = 600_000 + process.pid * 10 + (users++ % 10);
  const name = `bx${uid}`;
  chmodSync(directory.path, 0o755);
  for (const part of ["etc", "dev", "home", "run", "checkout"]) mkdirSync(directory.join(part));
  const [home, runtimeDir] = [directory.join("home"), directory.join("run")];
  for (const own of [home, runtimeDir]) chownSync(own, uid, uid);
  chmodSync(runtimeDir, 0o700);
  const add = (file: string, line: string) => {
    writeFileSync(directory.join("etc", file), `${readFileSync(`/etc/${file}`, "utf8")}${line}\n`);
  };
  add("passwd", `${name}:x:${uid}:${uid}::${home}:/bin/sh`);
  add("group", `${name}:x:${uid}:`);
  const range = options.subordinateIds === false ? "" : `${name}:${FIRST_SUBORDINATE}:65536`;
  for (const file of ["subuid", "subgid"]) writeFileSync(directory.join("etc", file), `${range}\n`);
  if (options.tun !== false) await makeDevice(directory.join("dev", "tun"), "200");
  if (options.fuse !== false) await makeDevice(directory.join("dev", "fuse"), "229");
  const group = options.delegate === true ? delegatedGroup(name, uid) : undefined;
  const shown = (text: string) => text.replaceAll(repositoryRoot, directory.join("checkout"));
  const environment = [
    `HOME=${home}`,
    `XDG_RUNTIME_DIR=${runtimeDir}`,
    `USER=${name}`,
    `PATH=${options.path ?? SYSTEM_PATH}`,
  ];
  return {
    name,
    uid,
    home,
    runtimeDir,
    directory,
    group,
    command: (program) => [
      ...["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh"],
      ...[directory.path, repositoryRoot, String(uid), group?.path ?? "", ...environment, ...program.map(shown)],
    ],
    async [Symbol.asyncDispose]() {
      await directory[Symbol.asyncDispose]();
      await group?.[Symbol.asyncDispose]();
    },
  };
}
