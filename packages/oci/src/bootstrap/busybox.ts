import { readFile, stat } from "node:fs/promises";
import { FailedPrecondition, systemCode } from "@boxship/base";
import { runProcess } from "@boxship/kernel";
import { bytesOf } from "../layer/tar/bytes.ts";
import { tarEntry } from "../layer/tar/encoder.ts";
import { type TarInput, writeTar } from "../layer/tar/writer.ts";
import type { RootFilesystem } from "./root-filesystem.ts";

const PLACES = ["/bin/busybox", "/usr/bin/busybox"];
const REMEDY = "install it: apt-get install busybox-static";
const PT_INTERP = 3;

const DIRECTORIES: readonly (readonly [path: string, mode?: number])[] = [
  ["bin"],
  ["dev"],
  ["etc"],
  ["home"],
  ["lib"],
  ["mnt"],
  ["opt"],
  ["proc"],
  ["root", 0o700],
  ["run"],
  ["sbin"],
  ["sys"],
  ["tmp", 0o1777],
  ["usr"],
  ["usr/bin"],
  ["usr/lib"],
  ["usr/sbin"],
  ["var"],
  ["var/cache"],
  ["var/lib"],
  ["var/log"],
  ["var/spool"],
  ["var/tmp", 0o1777],
  ["var/www"],
];

const FILES: Readonly<Record<string, readonly [text: string, mode?: number]>> = {
  "etc/group": [
    "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\ntty:x:5:\nwww-data:x:33:\nusers:x:100:\nnogroup:x:65534:\n",
  ],
  "etc/nsswitch.conf": ["passwd: files\ngroup: files\nhosts: files dns\n"],
  "etc/passwd": [
    "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
  ],
  "etc/profile": ["export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"],
  "etc/shadow": ["root:*:::::::\ndaemon:*:::::::\nwww-data:*:::::::\nnobody:*:::::::\n", 0o640],
};

export interface BusyboxRequest {
  /** Modification time of everything, in seconds since the epoch. @default that of the program */
  readonly epoch?: number | undefined;
  readonly onProgress: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A root file system with nothing but busybox: the machine's static one, a link per applet, and a few files. */
export async function busyboxRoot(request: BusyboxRequest): Promise<RootFilesystem> {
  const { path, program, modified } = await findBusybox();
  request.onProgress(`using ${path}`);
  const { stdout } = await runProcess({ file: path, args: ["--list-full"], signal: request.signal, timeout: 10_000 });
  const applets = stdout
    .toString()
    .split("\n")
    .filter((applet) => applet !== "" && applet !== "bin/busybox");
  if (!applets.includes("bin/sh")) {
    throw new FailedPrecondition(`${path} has no shell`, { remedy: REMEDY });
  }
  // The same program then gives the same image.
  const epoch = request.epoch ?? modified;
  return {
    epoch,
    archive: writeTar(members(program, applets, epoch)),
    rewrite: {},
    config: { Cmd: ["sh"], Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] },
    tags: ["busybox:latest"],
  };
}

interface Found {
  readonly path: string;
  readonly program: Buffer;
  /** Seconds since the epoch. */
  readonly modified: number;
}

async function findBusybox(): Promise<Found> {
  for (const path of PLACES) {
    try {
      const program = await readFile(path);
      if (isStatic(program)) return { path, program, modified: Math.floor((await stat(path)).mtimeMs / 1000) };
      throw new FailedPrecondition(`${path} is linked dynamically and would not run without its libraries`, {
        remedy: REMEDY,
      });
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error;
    }
  }
  throw new FailedPrecondition("busybox is not installed", { remedy: REMEDY });
}

/** Whether an ELF program (64 bits, little-endian) names no interpreter. */
export function isStatic(program: Buffer): boolean {
  if (program.length < 64 || program.readUInt32BE(0) !== 0x7f454c46 || program[4] !== 2 || program[5] !== 1)
    return false;
  const [offset, size, count] = [
    Number(program.readBigUInt64LE(32)),
    program.readUInt16LE(54),
    program.readUInt16LE(56),
  ];
  for (let index = 0; index < count; index++) {
    const at = offset + index * size;
    if (at + 4 > program.length || program.readUInt32LE(at) === PT_INTERP) return false;
  }
  return true;
}

function members(program: Buffer, applets: readonly string[], mtime: number): readonly TarInput[] {
  const inputs: TarInput[] = DIRECTORIES.map(([name, mode = 0o755]) => ({
    entry: tarEntry({ type: "directory", name: bytesOf(name), mode, mtime }),
  }));
  const file = (name: string, body: Buffer, mode: number) =>
    inputs.push({ entry: tarEntry({ type: "file", name: bytesOf(name), mode, size: body.length, mtime }), body });
  file("bin/busybox", program, 0o755);
  for (const [name, [text, mode = 0o644]] of Object.entries(FILES)) file(name, Buffer.from(text), mode);
  for (const applet of applets) {
    const linkName = bytesOf(applet.startsWith("bin/") ? "busybox" : "/bin/busybox");
    inputs.push({ entry: tarEntry({ type: "symlink", name: bytesOf(applet), linkName, mtime }) });
  }
  return inputs.sort((a, b) => (a.entry.name < b.entry.name ? -1 : 1));
}
