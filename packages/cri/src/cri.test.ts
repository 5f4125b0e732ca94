import { once } from "node:events";
import { after, before } from "node:test";
import { createLogger, systemClock } from "@boxship/base";
import { Engine } from "@boxship/engine";
import { tempDir } from "@boxship/testkit";
import type { Cri } from "./contract.ts";
import { criSuite } from "./cri.suite.ts";
import { connectCri } from "./cri-client.ts";
import { CriDoor } from "./cri-door.ts";
import { criHandlers } from "./engine-cri.ts";
import { inProcessCri } from "./in-process.ts";
import { StreamingServer } from "./streaming/streaming-server.ts";

const stack = new AsyncDisposableStack();
const name = `bx${String(process.pid).padStart(6, "0").slice(-6)}`;
let cri: { readonly inProcess: Cri; readonly socket: Cri };
let logs: string;

before(async () => {
  const directory = stack.use(tempDir(`cri-${name}`));
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
  door.server.listen(directory.join("cri.sock"));
  await once(door.server, "listening");
  cri = { inProcess: inProcessCri(handlers), socket: stack.use(connectCri(directory.join("cri.sock"))) };
});

after(() => stack.disposeAsync());

const cgroupParent = `/${name}/pods/burstable`;
criSuite("in the engine's process", () => ({ cri: cri.inProcess, image: "busybox", logs: `${logs}/a`, cgroupParent }));
criSuite("at the engine's socket", () => ({ cri: cri.socket, image: "busybox", logs: `${logs}/b`, cgroupParent }));
