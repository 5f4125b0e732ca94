import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { request } from "node:http";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { tryLockFile } from "@boxship/kernel";
import { repositoryRoot } from "@boxship/testkit";
import type { DockerClient, EngineUnderTest } from "./engine-under-test.ts";

/** Debian with nginx, PostgreSQL, Redis and curl in it, and no command of its own. */
export const SERVICES_IMAGE = "e2e/services:1";

const PACKAGES = "nginx-light redis-server postgresql-15 postgresql-client-15 curl";

/** What PostgreSQL can do without (its compiler of queries) and what nobody reads here would be two thirds of it. */
const RECIPE = `
set -e
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d
apt-get update -qq
apt-get install -y -qq --no-install-recommends ${PACKAGES}
apt-get clean
rm -rf /var/lib/apt/lists/* /var/lib/postgresql/15 /usr/lib/*/libLLVM* /usr/lib/postgresql/15/lib/bitcode
rm -rf /usr/share/doc /usr/share/man /usr/share/locale /var/cache/* /var/log/*.log
`;

const PATH = "/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Puts {@link SERVICES_IMAGE} into the engine. It is made by the first engine that needs it, out of a bootstrapped Debian
 * and its packages, and kept as an archive in the checkout's cache.
 */
export async function loadServicesImage({ socketPath, docker: [docker], kind }: EngineUnderTest): Promise<void> {
  if (docker === undefined) throw new Error("no docker command line is here");
  const name = `services-${createHash("sha256").update(RECIPE).digest("hex").slice(0, 12)}.tar`;
  const directory = resolve(repositoryRoot, ".cache/test-images");
  const archive = join(directory, name);
  await mkdir(directory, { recursive: true });
  using _lock = await lock(join(directory, "lock"));
  if ((await readdir(directory)).includes(name)) return load(socketPath, archive);
  if (kind === "dockerd") throw new Error("the image is made by Boxship: run this test with it first");
  await makeImage(socketPath, docker);
  await rm(archive, { force: true });
  await docker.ok(["save", "-o", `${archive}.part`, SERVICES_IMAGE]);
  await rename(`${archive}.part`, archive);
}

async function lock(path: string): Promise<Disposable> {
  await (await open(path, "a")).close();
  for (;;) {
    const held = tryLockFile(path);
    if (held !== undefined) return held;
    await delay(200);
  }
}

async function load(socketPath: string, archive: string): Promise<void> {
  const answer = await send(socketPath, "/images/load?quiet=1", createReadStream(archive));
  if (!answer.includes("Loaded image")) throw new Error(`cannot load ${archive}: ${answer.slice(-500)}`);
}

async function makeImage(socketPath: string, docker: DockerClient): Promise<void> {
  const made = await send(socketPath, "/boxship/images/bootstrap?kind=debian");
  if (!made.includes('"aux"')) throw new Error(`no Debian image: ${made.slice(-500)}`);
  const timeout = 240_000;
  await docker.ok(["run", "--name", "recipe", "debian", "sh", "-c", RECIPE], { timeout });
  await docker.ok(["commit", "-c", `ENV PATH=${PATH}`, "-c", 'CMD ["sh"]', "recipe", SERVICES_IMAGE], { timeout });
  await docker.ok(["rm", "recipe"]);
  await docker.ok(["rmi", "debian:latest"]);
}

function send(socketPath: string, path: string, body?: NodeJS.ReadableStream): Promise<string> {
  return new Promise((done, fail) => {
    const headers = { "content-type": "application/x-tar" };
    const outgoing = request({ socketPath, method: "POST", path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("end", () => done(Buffer.concat(chunks).toString()));
      response.once("error", fail);
    });
    outgoing.once("error", fail);
    if (body === undefined) outgoing.end();
    else pipeline(body, outgoing).catch(fail);
  });
}
