import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { PassThrough, Readable, Writable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { demultiplex } from "./demultiplex.ts";
import { DetachWatcher, parseDetachKeys } from "./detach-keys.ts";
import { jsonValues } from "./json-lines.ts";
import { showProgress } from "./progress.ts";

/** Keeps what is written to it. */
class Sink extends Writable {
  readonly chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    setImmediate(done);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }
}

function frame(type: number, data: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(type, 0);
  header.writeUInt32BE(data.length, 4);
  return Buffer.concat([header, data]);
}

/** The same bytes in other pieces. */
function cutUp(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const points = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...points].map((from, index) => bytes.subarray(from, points[index])).filter((piece) => piece.length > 0);
}

const cuts = fc.array(fc.nat({ max: 5000 }), { maxLength: 20 });

test("frames come apart whatever pieces they arrive in", async () => {
  const part = fc.record({ type: fc.constantFrom(1, 2), data: fc.uint8Array({ maxLength: 300 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 20 }), cuts, async (parts, points) => {
      const bytes = Buffer.concat(parts.map(({ type, data }) => frame(type, Buffer.from(data))));
      const [stdout, stderr] = [new Sink({ highWaterMark: 64 }), new Sink()];
      await demultiplex(Readable.from(cutUp(bytes, points)), { stdout, stderr });
      await Promise.all([stdout, stderr].map((sink) => new Promise<void>((done) => sink.end(done))));
      const of = (type: number) =>
        Buffer.concat(parts.filter((p) => p.type === type).map(({ data }) => Buffer.from(data)));
      deepEqual([stdout.text, stderr.text], [of(1).toString("latin1"), of(2).toString("latin1")]);
    }),
    { numRuns: 50 },
  );
});

test("a stream that ends in a frame, is none, or reports a failure is an error", async () => {
  const cut = frame(1, Buffer.from("hello")).subarray(0, 10);
  await rejects(() => demultiplex(Readable.from([cut]), {}), /in the middle of the container's output/);
  await rejects(() => demultiplex(Readable.from([Buffer.from("hello world")]), {}), /Unrecognized input header: 104/);
  await rejects(
    () => demultiplex(Readable.from([frame(3, Buffer.from("no room"))]), {}),
    /error from daemon in stream: no room/,
  );
});

test("detach keys", () => {
  deepEqual(parseDetachKeys(""), [16, 17]);
  deepEqual(parseDetachKeys("ctrl-p,ctrl-q"), [16, 17]);
  deepEqual(parseDetachKeys("ctrl-@,a,ctrl-\\,ctrl-_,DEL"), [0, 97, 28, 31, 127]);
  throws(() => parseDetachKeys("ctrl-1"), /Unknown character: 'ctrl-1'/);
  throws(() => parseDetachKeys("ab"), /Unknown character: 'ab'/);
  const watcher = new DetachWatcher([16, 17]);
  const push = (...bytes: number[]) => {
    const { data, detached } = watcher.push(Buffer.from(bytes));
    return [[...data], detached];
  };
  deepEqual(push(97, 16), [[97], false]);
  deepEqual(push(98), [[16, 98], false]);
  deepEqual(push(16, 16, 17, 99), [[16], true]);
});

test("what is typed goes through, but for the sequence", () => {
  const keys = [16, 17];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(16, 17, 97), { maxLength: 40 }), cuts, (bytes, points) => {
      const watcher = new DetachWatcher(keys);
      const out: number[] = [];
      let detached = false;
      for (const piece of cutUp(Buffer.from(bytes), points)) {
        if (detached) break;
        const result = watcher.push(piece);
        out.push(...result.data);
        detached = result.detached;
      }
      const at = bytes.findIndex((byte, index) => byte === 16 && bytes[index + 1] === 17);
      equal(detached, at >= 0);
      const held = !detached && bytes.at(-1) === 16 ? 1 : 0;
      deepEqual(out, bytes.slice(0, detached ? at : bytes.length - held));
    }),
  );
});

test("JSON texts come out one by one", async () => {
  const value = fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue()));
  await fc.assert(
    fc.asyncProperty(fc.array(value, { maxLength: 6 }), cuts, async (values, points) => {
      const bytes = Buffer.from(values.map((item) => `${JSON.stringify(item)}\n`).join(""));
      const found: unknown[] = [];
      for await (const item of jsonValues(Readable.from(cutUp(bytes, points)))) found.push(item);
      deepEqual(found, JSON.parse(JSON.stringify(values)));
    }),
    { numRuns: 50 },
  );
});

test("a long value takes no more time in many pieces than in one", { timeout: 60_000 }, async () => {
  const data = "QUJD".repeat(3_000_000);
  const bytes = Buffer.from(JSON.stringify({ data }));
  const pieces = Array.from({ length: Math.ceil(bytes.length / 4096) }, (_, index) =>
    bytes.subarray(index * 4096, (index + 1) * 4096),
  );
  for await (const value of jsonValues(Readable.from(pieces))) deepEqual(value, { data });
});

function terminal(columns: number | undefined): { readonly output: NodeJS.WriteStream; readonly text: () => string } {
  const stream = new PassThrough();
  const chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  const output = Object.assign(stream, { isTTY: columns !== undefined, columns }) as unknown as NodeJS.WriteStream;
  return { output, text: () => Buffer.concat(chunks).toString() };
}

const messages = [
  { status: "Pulling from library/x", id: "latest" },
  { status: "Pulling fs layer", progressDetail: {}, id: "aaa" },
  { status: "Pulling fs layer", progressDetail: {}, id: "bbb" },
  { status: "Downloading", progressDetail: { current: 500, total: 1000 }, id: "aaa" },
  { status: "Pull complete", progressDetail: {}, id: "aaa" },
  { status: "Digest: sha256:1" },
];

const stream = (list: readonly object[]) =>
  Readable.from([Buffer.from(list.map((message) => JSON.stringify(message)).join("\r\n"))]);

test("progress is lines elsewhere and bars on a terminal", async () => {
  const plain = terminal(undefined);
  await showProgress(stream(messages), { output: plain.output });
  equal(
    plain.text(),
    "latest: Pulling from library/x\naaa: Pulling fs layer\nbbb: Pulling fs layer\naaa: Pull complete\nDigest: sha256:1\n",
  );
  const wide = terminal(80);
  await showProgress(stream(messages), { output: wide.output });
  equal(wide.text().includes("\u001b[2A\u001b[2K\raaa: Downloading     500B/1kB\r\u001b[2B"), true, wide.text());
  const aux: unknown[] = [];
  await showProgress(stream([{ aux: { ID: "x" } }]), { onAux: (value) => aux.push(value) });
  deepEqual(aux, [{ ID: "x" }]);
});

test("a failure in the middle of the progress is the command's failure", async () => {
  const failing = [
    ...messages.slice(0, 2),
    { errorDetail: { message: "no such tag" }, error: "no such tag", remedy: "look" },
  ];
  await rejects(
    () => showProgress(stream(failing), {}),
    (error: Error & { readonly remedy?: string }) => error.message === "no such tag" && error.remedy === "look",
  );
});
