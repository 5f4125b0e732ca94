import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { rawConnection } from "./testing/raw-request.ts";
import { listenForTest, type RegistryUnderTest, sha256 } from "./testing/registry-under-test.ts";

/** Small, so that it can be cut everywhere. */
const SIZE = 48;

/** Requests of one upload, cut after every number of bytes of the body as it is on the wire. */
describe("an upload that is cut at any byte", () => {
  let under: RegistryUnderTest;
  let ended: (socket: Socket) => Promise<void>;
  let arrived: (socket: Socket, bytes: number) => Promise<void>;
  before(async () => {
    under = await listenForTest();
    const accepted = new Map<number | undefined, Socket>();
    under.registry.server.on("connection", (socket) => accepted.set(socket.remotePort, socket));
    ended = async ({ localPort }) => {
      while (accepted.get(localPort)?.closed !== true) await setTimeout(1);
    };
    arrived = async ({ localPort }, bytes) => {
      while ((accepted.get(localPort)?.bytesRead ?? 0) < bytes) await setTimeout(1);
    };
  });
  after(() => under?.[Symbol.asyncDispose]());

  const begin = async (repository: string) => {
    const begun = await fetch(`${under.url}/${repository}/blobs/uploads/`, { method: "POST" });
    return new URL(begun.headers.get("location") ?? "", under.url);
  };
  /** Sends a head whole, and of what follows so many bytes; whoever sent all of it hears the answer. */
  const cut = async (line: string, headers: readonly string[], wire: Uint8Array, bytes: number): Promise<void> => {
    const socket = await rawConnection(under.port);
    const head = `${line} HTTP/1.1\r\nhost: x\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n`;
    const left = ended(socket);
    socket.write(Buffer.concat([Buffer.from(head), wire.subarray(0, bytes)]));
    await (bytes === wire.byteLength ? once(socket, "data") : arrived(socket, head.length + bytes));
    socket.destroy();
    await left;
  };
  /** How many bytes are there, as a client that goes on finds out. */
  const offset = async (at: URL): Promise<number> => {
    for (;;) {
      const status = await fetch(at);
      // The request that was cut is still being ended.
      if (status.status === 409) continue;
      assert.equal(status.status, 204);
      const end = Number(status.headers.get("range")?.split("-")[1]);
      if (end > 0) return end + 1;
      // `0-0` stands for none and for one.
      const probe = await fetch(at, { method: "PATCH", headers: { "content-range": "1-0" } });
      return probe.status === 202 ? 1 : 0;
    }
  };
  const finish = async (at: URL, bytes: Uint8Array, from: number) => {
    const url = new URL(at);
    url.searchParams.set("digest", sha256(bytes));
    const put = await fetch(url, { method: "PUT", body: Buffer.from(bytes.subarray(from)) });
    assert.equal(put.status, 201, await put.text());
    const repository = at.pathname.split("/")[2] ?? "";
    const pulled = await fetch(`${under.url}/${repository}/blobs/${sha256(bytes)}`);
    assert.deepEqual(Buffer.from(await pulled.arrayBuffer()), Buffer.from(bytes));
  };
  const everywhere = async (length: number, work: (at: number) => Promise<void>): Promise<void> => {
    const places = Array.from({ length: length + 1 }, (_, place) => place);
    // Some at a time: each is a connection.
    while (places.length > 0) await Promise.all(places.splice(0, 16).map(work));
  };

  test("a piece goes on where it was cut", async () => {
    await everywhere(SIZE - 1, async (place) => {
      const bytes = randomBytes(SIZE);
      const at = await begin(`piece-${place}`);
      await cut(`PATCH ${at.pathname}`, [`content-length: ${SIZE}`], bytes, place);
      const there = await offset(at);
      assert.ok(there <= place);
      await finish(at, bytes, there);
    });
  });

  test("a second piece goes on where it was cut, and the first stays", async () => {
    const first = 7;
    await everywhere(SIZE - first - 1, async (place) => {
      const bytes = randomBytes(SIZE);
      const at = await begin(`second-${place}`);
      await fetch(at, { method: "PATCH", body: Buffer.from(bytes.subarray(0, first)) });
      const headers = [`content-length: ${SIZE - first}`, `content-range: ${first}-${SIZE - 1}`];
      await cut(`PATCH ${at.pathname}`, headers, bytes.subarray(first), place);
      const there = await offset(at);
      assert.ok(there >= first && there <= first + place);
      await finish(at, bytes, there);
    });
  });

  test("a piece of unknown length has a whole beginning, wherever its framing was cut", async () => {
    const parts = [randomBytes(1), randomBytes(20), randomBytes(SIZE - 21)];
    const bytes = Buffer.concat(parts);
    const wire = Buffer.concat([
      ...parts.flatMap((part) => [Buffer.from(`${part.byteLength.toString(16)}\r\n`), part, Buffer.from("\r\n")]),
      Buffer.from("0\r\n\r\n"),
    ]);
    await everywhere(wire.byteLength, async (place) => {
      const at = await begin(`chunked-${place}`);
      await cut(`PATCH ${at.pathname}`, ["transfer-encoding: chunked"], wire, place);
      const there = await offset(at);
      assert.ok(there <= Math.min(place, SIZE) && (place < wire.byteLength || there === SIZE), `${there} of ${place}`);
      await finish(at, bytes, there);
    });
  });

  test("the last request is no blob before its last byte, and goes on as any", async () => {
    await everywhere(SIZE - 1, async (place) => {
      const bytes = randomBytes(SIZE);
      const at = await begin(`last-${place}`);
      await cut(`PUT ${at.pathname}?digest=${sha256(bytes)}`, [`content-length: ${SIZE}`], bytes, place);
      const blob = `${under.url}/last-${place}/blobs/${sha256(bytes)}`;
      assert.equal((await fetch(blob, { method: "HEAD" })).status, 404);
      const there = await offset(at);
      assert.ok(there <= place);
      await finish(at, bytes, there);
    });
  });

  test("an upload by one request is there whole, or vanishes", async () => {
    const bytes = randomBytes(SIZE);
    await everywhere(SIZE, async (place) => {
      const line = `POST /v2/once-${place}/blobs/uploads/?digest=${sha256(bytes)}`;
      await cut(line, [`content-length: ${SIZE}`], bytes, place);
      const { status } = await fetch(`${under.url}/once-${place}/blobs/${sha256(bytes)}`, { method: "HEAD" });
      assert.equal(status, place === SIZE ? 200 : 404);
    });
    const left = async () => {
      const metrics = await (await fetch(`http://${under.host}/metrics`)).text();
      return /boxship_registry_uploads (\d+)\n/.exec(metrics)?.[1];
    };
    // Nobody could go on with them: what they took is given back, however they ended.
    while ((await left()) !== "0") await setTimeout(1);
  });
});
