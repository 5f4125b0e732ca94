import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { FakeClock } from "@boxship/base";
import { startRegistry, tempDir } from "@boxship/testkit";
import { listenForTest, pushBlob, pushImage, sha256 } from "../testing/registry-under-test.ts";

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly events: readonly WireEvent[];
}

interface WireEvent {
  readonly action: string;
  readonly target: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** Takes notifications, at first with the statuses that are given. */
async function receiver(failures: readonly number[] = []) {
  const received: Received[] = [];
  const left = [...failures];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const body = Buffer.concat(pieces).toString();
    const status = left.shift() ?? 200;
    if (status === 200) {
      received.push({ headers: request.headers, body, events: (JSON.parse(body) as { events: WireEvent[] }).events });
    }
    response.writeHead(status).end();
    server.emit("received");
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    until: async (count: number) => {
      while (received.length < count) await once(server, "received");
      return received.flatMap(({ events }) => events);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Names of the fields, all the way down. */
function shape(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shape(each)]));
}

async function work(url: string): Promise<void> {
  const digest = await pushBlob(url, "team/app", "a blob");
  await fetch(`${url}/team/other/blobs/uploads/?mount=${digest}&from=team/app`, { method: "POST" });
  const manifest = await pushImage(url, "team/app", "v1");
  await fetch(`${url}/team/app/manifests/v1`, { headers: { accept: "application/vnd.oci.image.manifest.v1+json" } });
  await fetch(`${url}/team/app/manifests/${manifest}`, { method: "DELETE" });
}

test("events are told as the stock registry tells them", async () => {
  await using ours = await receiver();
  await using theirs = await receiver();
  const events = ["push", "pull", "mount", "delete"] as const;
  await using under = await listenForTest({ policy: { webhooks: [{ name: "all", url: ours.url, events }] } });
  const endpoint = { name: "all", url: theirs.url, timeout: "1s", threshold: 1, backoff: "1s" };
  await using stock = await startRegistry({
    environment: { REGISTRY_NOTIFICATIONS_ENDPOINTS: JSON.stringify([endpoint]) },
  });
  await work(under.url);
  await work(`${stock.url}/v2`);
  const count = 8;
  const [told, expected] = [await ours.until(count), await theirs.until(count)];
  const seen = (list: readonly WireEvent[]) => {
    const keyed = list.map((event) => {
      const { mediaType, tag } = event.target;
      return [`${event.action} ${String(mediaType)} ${tag === undefined ? "" : "tag"}`, shape(event)] as const;
    });
    return Object.fromEntries(keyed.toSorted(([a], [b]) => (a < b ? -1 : 1)));
  };
  assert.equal(ours.received[0]?.headers["content-type"], theirs.received[0]?.headers["content-type"]);
  assert.deepEqual(seen(told), seen(expected));
});

test("an event is signed, tried again until it is taken, and kept over a new start", async () => {
  await using directory = tempDir("webhooks");
  await using hook = await receiver([500, 404, 503]);
  const policy = {
    webhooks: [
      { name: "ci", url: hook.url, secret: "s3cret", repositories: ["team/*"], headers: { authorization: "Bearer t" } },
      { name: "absent", url: "http://127.0.0.1:1/" },
    ],
  };
  const under = await listenForTest({ policy }, directory.path);
  await pushBlob(under.url, "other/app", "nobody hears of this but the absent one");
  await pushImage(under.url, "team/app", "v1");
  await using again = await under.restart();
  const events = await hook.until(3);
  assert.deepEqual(
    events.map(({ action, target }) => [action, target["repository"], target["tag"]]),
    [
      ["push", "team/app", undefined],
      ["push", "team/app", undefined],
      ["push", "team/app", "v1"],
    ],
  );
  for (const { headers, body } of hook.received) {
    const signature = createHmac("sha256", "s3cret").update(body).digest("hex");
    assert.deepEqual([headers["x-boxship-signature-256"], headers.authorization], [`sha256=${signature}`, "Bearer t"]);
  }
  const metrics = await (await fetch(`http://${again.host}/metrics`)).text();
  assert.match(metrics, /boxship_registry_webhook_events\{webhook="absent"\} 4/);
});

test("what retention and collection remove is told, too, as nobody's request", async () => {
  const clock = new FakeClock(1_800_000_000_000);
  await using hook = await receiver();
  const webhooks = [{ name: "all", url: hook.url, events: ["delete"] as const, repositories: ["team/*"] }];
  const retention = [{ repositories: ["**"], keep: 1 }];
  await using under = await listenForTest({ clock, policy: { webhooks, retention } });
  const { url, registry } = under;
  const first = await pushImage(url, "team/app", "v1");
  await clock.advance(1000);
  await pushImage(url, "team/app", "v2", { annotations: { second: "yes" } });
  const alone = await pushBlob(url, "team/app", "of no manifest");
  await pushBlob(url, "other/app", "nobody hears of this");
  await clock.advance(3_600_000 * 2);
  assert.equal((await registry.retain({ dryRun: true })).length, 1);
  assert.deepEqual(
    (await registry.retain()).map(({ tag }) => tag),
    ["v1"],
  );
  await registry.collectGarbage();
  const events = await hook.until(3);
  const told = events.map(({ action, target, request, actor }) => {
    return [action, target["repository"], target["tag"] ?? target["digest"], request, actor];
  });
  const gone = ["v1", first, alone].map((name) => ["delete", "team/app", name, {}, {}]);
  assert.deepEqual(told, gone);
  assert.equal((await fetch(`${url}/team/app/blobs/${sha256("layer of team/app")}`)).status, 200);
});
