import { createWriteStream } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, normalize } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { quoteWord } from "@boxship/base/shell-word";
import { readTar, type TarEntry, type TarMember, toText } from "@boxship/oci/tar";
import { ConnectionLost, Refusal } from "../../failure.ts";
import type { Session } from "../../session.ts";
import type { ExecAt } from "./cp.ts";
import { type FileSpec, memberPrefix, placeOf } from "./file-spec.ts";
import type { Copy } from "./to-pod.ts";

/** Has the container's own `tar` pack, and unpacks here: below the destination and nowhere else. */
export async function copyFromPod(session: Session, exec: ExecAt, { from, to, flags }: Copy): Promise<void> {
  const archive = packed(session, exec, from.path, flags.retries);
  const unpacking = new Unpacking(session, from, normalize(to.path));
  for await (const member of readTar(archive)) await unpacking.take(member);
}

/** The archive's bytes; a connection that breaks is taken up again where it was. @param retries below 0: for ever */
async function* packed(session: Session, exec: ExecAt, path: string, retries: number): AsyncGenerator<Uint8Array> {
  const quoted = quoteWord(path);
  for (let read = 0, tried = 0; ; tried++) {
    const from = tried === 0 ? 0 : read + 1;
    const command = retries === 0 ? ["tar", "cf", "-", path] : ["sh", "-c", `tar cf - ${quoted} | tail -c+${from}`];
    try {
      for await (const chunk of outputOf(session, exec, command)) {
        read += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      if (retries >= 0 && tried >= retries) {
        session.print(`Dropping out copy after ${tried} retries`);
        throw error;
      }
      session.print(`Resuming copy at ${read} bytes, retry ${tried + 1}/${retries}`);
    }
  }
}

async function* outputOf(session: Session, exec: ExecAt, command: readonly string[]): AsyncGenerator<Uint8Array> {
  const { stdout } = session.io;
  const pipe = new PassThrough();
  const write = (data: string | Uint8Array, taken?: () => void): void => void pipe.write(data, () => taken?.());
  const left = new AbortController();
  const running = exec(command, { stdout: { write }, stderr: stdout, signal: left.signal }).then(
    () => void pipe.end(),
    (error: unknown) => void pipe.destroy(error as Error),
  );
  try {
    yield* pipe as AsyncIterable<Uint8Array>;
    await running;
  } finally {
    left.abort();
    pipe.destroy();
  }
}

class Unpacking {
  readonly #session: Session;
  readonly #from: FileSpec;
  readonly #destination: string;
  readonly #prefix: string;
  /** Where files went, by their names in the archive. */
  readonly #written = new Map<string, string>();
  #hinted = false;

  constructor(session: Session, from: FileSpec, destination: string) {
    this.#session = session;
    this.#from = from;
    this.#destination = destination;
    this.#prefix = memberPrefix(from.path);
  }

  async take({ entry, body }: TarMember): Promise<void> {
    const name = toText(entry.name);
    if (!name.startsWith(this.#prefix)) throw new Refusal("tar contents corrupted");
    const { path, isInside } = placeOf(this.#destination, name.slice(this.#prefix.length));
    if (!isInside) {
      this.#session.warn(`warning: file ${JSON.stringify(path)} is outside target destination, skipping`);
      return;
    }
    await mkdir(dirname(path), { recursive: true });
    if (entry.type === "directory") await mkdir(path, { recursive: true });
    else if (entry.type === "symlink") this.#skip(path, entry);
    else if (entry.type === "link") await this.#copyAgain(path, entry);
    else {
      await pipeline(Readable.from(body), createWriteStream(path));
      this.#written.set(entry.name, path);
    }
  }

  /** One and the same file under two names: it is written twice. */
  async #copyAgain(path: string, entry: TarEntry): Promise<void> {
    const first = this.#written.get(entry.linkName);
    if (first === undefined) throw new Refusal("tar contents corrupted");
    if (first !== path) await copyFile(first, path);
    this.#written.set(entry.name, path);
  }

  /** Links could lead out of the destination. */
  #skip(path: string, entry: TarEntry): void {
    const { namespace, pod, path: source } = this.#from;
    const [shown, target] = [JSON.stringify(path), JSON.stringify(toText(entry.linkName))];
    const hint = ` (consider using "kubectl exec -n ${JSON.stringify(namespace)} ${JSON.stringify(pod)} -- tar cf - ${JSON.stringify(source)} | tar xf -")`;
    this.#session.warn(`warning: skipping symlink: ${shown} -> ${target}${this.#hinted ? "" : hint}`);
    this.#hinted = true;
  }
}
