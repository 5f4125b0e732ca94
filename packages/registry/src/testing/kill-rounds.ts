import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createLogger } from "@boxship/base";
import { openRegistry } from "../open-registry.ts";
import { sha256 } from "./registry-under-test.ts";

/** What was promised to clients. */
interface Acknowledged {
  /** Manifest's digest by `repository:tag`. */
  readonly tags: Map<string, string>;
  /** `repository@digest` of blobs. */
  readonly blobs: Set<string>;
}

export interface KillRounds {
  readonly rounds: number;
  readonly root: string;
  /** How long each round may go on before the process is killed, in milliseconds at most. @default 400 */
  readonly longest?: number;
}

export interface KillResult {
  readonly manifests: number;
  readonly blobs: number;
  readonly pulls: number;
  readonly collections: number;
}

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const CLIENTS = 6;

/**
 * Pushes, pulls and collects in a process of its own, which is killed at a random moment, again and again. After each
 * round what is on the disk is checked whole, and everything that was acknowledged must be there.
 *
 * @throws Error naming what is lost or wrong
 */
export async function killRounds({ rounds, root, longest = 400 }: KillRounds): Promise<KillResult> {
  const acknowledged: Acknowledged = { tags: new Map(), blobs: new Set() };
  let [pulls, collections] = [0, 0];
  const pulled = Promise.withResolvers<void>();
  for (let round = 0; round < rounds; round++) {
    const { child, url } = await serve(root);
    const ended = once(child, "exit");
    const clients = Array.from({ length: CLIENTS }, (_, number) =>
      work(url, `r${round}/c${number}`, acknowledged, () => {
        pulls++;
        pulled.resolve();
      }),
    );
    const collecting = collect(child, ended, () => collections++);
    // However slow the machine is, something is acknowledged before the first kill.
    if (round === 0) await Promise.race([pulled.promise, ...clients]);
    await delay(randomInt(30, longest));
    // On a machine that has much else to do the last round waits until one client came through.
    const state = { over: false };
    void Promise.allSettled(clients).then(() => Object.assign(state, { over: true }));
    const isTooEarly = () => round === rounds - 1 && pulls === 0 && !state.over;
    while (isTooEarly()) await delay(20);
    child.kill("SIGKILL");
    await ended;
    await Promise.all([...clients, collecting]);
    await verify(root, acknowledged, round);
  }
  return { manifests: acknowledged.tags.size, blobs: acknowledged.blobs.size, pulls, collections };
}

async function serve(root: string): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const program = join(import.meta.dirname, "killed-registry.ts");
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, root], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const failed = once(child, "exit").then(() => Promise.reject(new Error("the registry does not start")));
  failed.catch(() => {});
  const [line] = (await Promise.race([once(child.stdout ?? child, "data"), failed])) as [Buffer];
  return { child, url: `http://127.0.0.1:${Number(line.toString())}/v2` };
}

/** Pushes images of a small, a middling and a shared layer, until the registry is gone. */
async function work(url: string, repository: string, { tags, blobs }: Acknowledged, onPull: () => void): Promise<void> {
  const put = async (path: string, body: Uint8Array | string, type: string): Promise<Response> => {
    return fetch(`${url}/${repository}/${path}`, {
      method: "PUT",
      body: Buffer.from(body),
      headers: { "content-type": type },
    });
  };
  const push = async (bytes: Uint8Array, pieces: boolean) => {
    const begun = await fetch(`${url}/${repository}/blobs/uploads/`, { method: "POST" });
    let location = new URL(begun.headers.get("location") ?? "", url);
    const half = pieces ? bytes.byteLength >> 1 : 0;
    if (pieces) {
      const patched = await fetch(location, { method: "PATCH", body: Buffer.from(bytes.subarray(0, half)) });
      location = new URL(patched.headers.get("location") ?? "", url);
    }
    const digest = sha256(bytes);
    location.searchParams.set("digest", digest);
    const done = await fetch(location, { method: "PUT", body: Buffer.from(bytes.subarray(half)) });
    if (done.status !== 201) throw new Error(`${done.status} ${await done.text()}`);
    return { digest, size: bytes.byteLength, mediaType: "application/vnd.oci.image.layer.v1.tar" };
  };
  try {
    for (let number = 0; ; number++) {
      const layers = [
        await push(randomBytes(2000), false),
        await push(randomBytes(300_000), true),
        await push(Buffer.from("the same for everybody"), false),
      ];
      const config = { ...(await push(Buffer.from(`{"n":${number}}`), false)), mediaType: "application/example" };
      const manifest = JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers });
      const done = await put(`manifests/v${number}`, manifest, MANIFEST);
      if (done.status !== 201) throw new Error(`${done.status} ${await done.text()}`);
      tags.set(`${repository}:v${number}`, sha256(manifest));
      for (const { digest } of [config, ...layers]) blobs.add(`${repository}@${digest}`);
      const pulled = await fetch(`${url}/${repository}/blobs/${layers[1]?.digest ?? ""}`);
      if (sha256(Buffer.from(await pulled.arrayBuffer())) !== layers[1]?.digest)
        throw new Error("pulled what was not pushed");
      onPull();
    }
  } catch (error) {
    // The connection is gone: the registry was killed.
    if (!(error instanceof TypeError)) throw error;
  }
}

/** One collection after the other, until the process is gone. */
async function collect(child: ChildProcess, ended: Promise<unknown>, onCollected: () => void): Promise<void> {
  child.on("message", () => {
    onCollected();
    child.send("collect", () => {});
  });
  child.send("collect", () => {});
  await ended;
}

async function verify(root: string, { tags, blobs }: Acknowledged, round: number): Promise<void> {
  await using registry = await openRegistry({ root, logger: createLogger({ write: () => {} }) });
  const { problems } = await registry.check();
  if (problems.length > 0) throw new Error(`after round ${round}: ${JSON.stringify(problems)}`);
  const { server } = registry;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/v2`;
  try {
    for (const [name, digest] of tags) {
      const [repository = "", tag = ""] = name.split(":");
      const answer = await fetch(`${url}/${repository}/manifests/${tag}`, { method: "HEAD" });
      if (answer.headers.get("docker-content-digest") !== digest)
        throw new Error(`after round ${round}: ${name} is lost`);
    }
    for (const name of blobs) {
      const [repository = "", digest = ""] = name.split("@");
      const answer = await fetch(`${url}/${repository}/blobs/${digest}`, { method: "HEAD" });
      if (answer.status !== 200) throw new Error(`after round ${round}: ${name} is lost`);
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
