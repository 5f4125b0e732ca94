import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync } from "node:fs";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { createLogger, systemClock } from "@boxship/base";
import { Engine } from "@boxship/engine";
import { clientSession, Empty, GrpcClient, type Init, type Method, method } from "@boxship/grpc";
import { tempDir } from "@boxship/testkit";
import type { Cri } from "./contract.ts";
import { criSuite } from "./cri.suite.ts";
import { connectCri } from "./cri-client.ts";
import { CriDoor } from "./cri-door.ts";
import { criHandlers } from "./engine-cri.ts";
import { inProcessCri } from "./in-process.ts";
import { STREAMED_METHODS } from "./methods.ts";
import { StreamingServer } from "./streaming/streaming-server.ts";

const stack = new AsyncDisposableStack();
const name = `bx${String(process.pid).padStart(6, "0").slice(-6)}`;
let cri: { readonly inProcess: Cri; readonly socket: Cri };
let logs: string;
let socket: string;

before(async () => {
  const directory = stack.use(tempDir(`cri-${name}`));
  // For root of pods that have users of their own.
  chmodSync(directory.path, 0o711);
  mkdirSync(directory.join("root"), { mode: 0o711 });
  logs = directory.join("logs");
  const logger = createLogger({ level: "error" });
  const runDir = directory.join("run");
  const engine = stack.use(
    await Engine.open({ root: directory.join("root"), runDir, name, clock: systemClock, logger }),
  );
  stack.defer(() => engine.reset());
  await engine.images.bootstrap("busybox", () => {});
  const handlers = criHandlers(engine, stack.use(new StreamingServer(systemClock, logger)));
  const door = stack.use(new CriDoor(handlers, logger));
  socket = directory.join("cri.sock");
  door.server.listen(socket);
  await once(door.server, "listening");
  cri = { inProcess: inProcessCri(handlers), socket: stack.use(connectCri(socket)) };
});

after(() => stack.disposeAsync());

const cgroupParent = `/${name}/pods/burstable`;
criSuite("in the engine's process", () => ({ cri: cri.inProcess, image: "busybox", logs: `${logs}/a`, cgroupParent }));
criSuite("at the engine's socket", () => ({ cri: cri.socket, image: "busybox", logs: `${logs}/b`, cgroupParent }));

test("lists are told in parts, too, and what is not known is refused by name", async () => {
  const connection = connect(socket);
  const session = clientSession(connection);
  session.on("error", () => {});
  try {
    const client = new GrpcClient(session);
    const parts = async <Request extends object, Part>(list: Method<Request, Part>) => {
      using call = client.call(list);
      await call.send({} as Init<Request>);
      call.endRequests();
      return await Array.fromAsync(call.responses);
    };
    const { images, podSandboxes, containers, containerStats, podSandboxStats } = STREAMED_METHODS;
    const told = await parts(images);
    const listed = await cri.socket.listImages({});
    assert.deepEqual(
      told.flatMap((part) => part.images.map(({ id }) => id)),
      listed.images.map(({ id }) => id),
    );
    const { podSandboxId } = await cri.socket.runPodSandbox({ config: { metadata: { name: "told", uid: "told" } } });
    const pods = await parts(podSandboxes);
    assert.ok(pods.some((part) => part.podSandboxes.some(({ id }) => id === podSandboxId)));
    const stats = (await parts(podSandboxStats)).flatMap((part) => part.podSandboxStats);
    assert.ok(stats.some(({ attributes }) => attributes?.id === podSandboxId));
    await cri.socket.removePodSandbox({ podSandboxId });
    assert.deepEqual(await parts(containers), []);
    assert.deepEqual(await parts(containerStats), []);
    const checkpoint = method("runtime.v1.RuntimeService", "CheckpointContainer", Empty, Empty);
    await assert.rejects(client.unary(checkpoint, {}), { code: "Unsupported", message: /CheckpointContainer/ });
  } finally {
    session.destroy();
  }
});
