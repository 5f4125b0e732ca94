import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import { request } from "node:http";
import { join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { tryLockFile } from "@boxship/kernel";
import type { EngineClient } from "./engine-client.ts";
import { repositoryRoot } from "./run-program.ts";

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

const directory = resolve(repositoryRoot, ".cache/test-images");
const archive = join(directory, `services-${createHash("sha256").update(RECIPE).digest("hex").slice(0, 12)}.tar`);

/**
 * Makes {@link SERVICES_IMAGE} in an engine of ours, out of a bootstrapped Debian and packages that are installed in a
 * container, and keeps it as an archive in the checkout's cache for {@link loadServicesImage}.
 */
export async function makeServicesImage(client: EngineClient): Promise<void> {
  using _lock = await lock();
  await make(client);
}

/** Puts {@link SERVICES_IMAGE} into an engine, from the archive; the first of ours that needs it makes it. */
export async function loadServicesImage(engine: {
  readonly client: EngineClient;
  readonly kind?: "boxship" | "dockerd";
}): Promise<void> {
  using _lock = await lock();
  if (existsSync(archive)) return load(engine.client.socketPath);
  if (engine.kind === "dockerd") throw new Error("the image is made by Boxship: run this test with it first");
  await make(engine.client);
}

async function lock(): Promise<Disposable> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, "lock");
  await (await open(path, "a")).close();
  for (;;) {
    const held = tryLockFile(path);
    if (held !== undefined) return held;
    await delay(200);
  }
}

async function make(client: EngineClient): Promise<void> {
  const made = await client.call("POST", "/boxship/images/bootstrap?kind=debian");
  if (!made.text.includes('"aux"')) throw new Error(`no Debian image: ${made.text.slice(-1000)}`);
  const body = { Image: "debian", Cmd: ["sh", "-c", RECIPE] };
  const { Id } = await client.json<{ readonly Id: string }>("POST", "/containers/create", body);
  await client.json("POST", `/containers/${Id}/start`);
  const { StatusCode } = await client.json<{ readonly StatusCode: number }>("POST", `/containers/${Id}/wait`);
  if (StatusCode !== 0) {
    const { text } = await client.call("GET", `/containers/${Id}/logs?stdout=1&stderr=1&tail=30`);
    throw new Error(`the packages could not be installed (exit status ${StatusCode}): ${text}`);
  }
  const changes = [`ENV PATH=${PATH}`, 'CMD ["sh"]'].map((change) => `&changes=${encodeURIComponent(change)}`).join("");
  const [repo, tag] = SERVICES_IMAGE.split(":");
  await client.json("POST", `/commit?container=${Id}&repo=${repo}&tag=${tag}${changes}`);
  await client.json("DELETE", `/containers/${Id}`);
  await client.json("DELETE", "/images/debian:latest");
  const saved = await client.stream("GET", `/images/${SERVICES_IMAGE}/get`);
  if (saved.statusCode !== 200) throw new Error(`cannot save ${SERVICES_IMAGE}: ${saved.statusCode}`);
  await pipeline(saved, createWriteStream(`${archive}.part`));
  await rename(`${archive}.part`, archive);
}

function load(socketPath: string): Promise<void> {
  return new Promise((done, fail) => {
    const headers = { "content-type": "application/x-tar" };
    const path = "/images/load?quiet=1";
    const outgoing = request({ socketPath, method: "POST", path, headers }, (response) => {
      let answer = "";
      response.setEncoding("utf8").on("data", (chunk: string) => void (answer += chunk));
      response.once("end", () => {
        if (answer.includes("Loaded image")) done();
        else fail(new Error(`cannot load ${archive}: ${answer.slice(-500)}`));
      });
      response.once("error", fail);
    });
    outgoing.once("error", fail);
    pipeline(createReadStream(archive), outgoing).catch(fail);
  });
}
