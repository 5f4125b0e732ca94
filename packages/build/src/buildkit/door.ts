import { join } from "node:path";
import { arch } from "node:process";
import type { Duplex } from "node:stream";
import { type Clock, InvalidArgument, type Logger } from "@boxship/base";
import {
  Code,
  type Handler,
  type Init,
  type Metadata,
  serveGrpc,
  serverSession,
  unary,
  type ValueOf,
} from "@boxship/grpc";
import type { ClassicDoor } from "../classic/classic-door.ts";
import type { ClassicBuild } from "../classic/classic-request.ts";
import type { BuildCache, Solver } from "../contract.ts";
import { BodyContexts } from "./job/body-contexts.ts";
import { errorDetails } from "./job/error-details.ts";
import { JobRegistry } from "./job/job-registry.ts";
import { LinkedImages } from "./job/linked-images.ts";
import { bridgeService } from "./services/bridge-service.ts";
import { wantsBuildkit } from "./services/build-request.ts";
import { BuildService } from "./services/build-service.ts";
import { controlService } from "./services/control-service.ts";
import { HistoryStore } from "./services/history-store.ts";
import { WholeCache } from "./services/usage.ts";
import { sessionHeaders } from "./session/client-session.ts";
import { ContextStore } from "./session/context-store.ts";
import { SessionManager } from "./session/session-manager.ts";
import type { WorkerRecord } from "./wire/common.ts";
import { Control } from "./wire/control.ts";
import { Health, TraceExport } from "./wire/session.ts";

export interface BuildkitDoorOptions {
  readonly solver: Solver;
  /** Where clients' directories and the history are kept. */
  readonly directory: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of this program. */
  readonly version: string;
  /** Address of the host on the default network, for `--add-host name:host-gateway`. @default none */
  readonly hostGateway?: () => string | undefined;
  /** Removes an image, unless it has a name or is in use. @default it stays */
  readonly removeImage?: (id: string) => Promise<void>;
}

/** BuildKit's services on connections that have left HTTP/1.1: what `docker buildx build` speaks to an engine. */
export interface BuildkitDoor extends AsyncDisposable {
  /** Checks the headers of a `POST /session` before it is answered. @throws InvalidArgument, AlreadyExists */
  checkSession(headers: Metadata): void;
  /** A client that serves. The connection belongs to the door from here on. */
  session(socket: Duplex, headers: Metadata): void;
  /** A client that calls. The connection belongs to the door from here on. */
  grpc(socket: Duplex): void;
  /** `POST /build` with `version=2`; see {@link wantsBuildkit}. Throws only before the first message. */
  build(build: ClassicBuild, write: (message: unknown) => Promise<void> | void, signal: AbortSignal): Promise<void>;
  /** Ends the build that was begun with that id; none is no error. */
  cancel(buildId: string): void;
  /** The solver's cache and the directories that are kept for clients. */
  readonly cache: BuildCache;
}

/** The level of BuildKit's interfaces that is spoken here. */
const LEVEL = "v0.25.0";

export function openBuildkitDoor(options: BuildkitDoorOptions): BuildkitDoor {
  const { solver, directory, clock, logger } = options;
  const sessions = new SessionManager();
  const contexts = new ContextStore({ directory: join(directory, "contexts"), clock });
  const history = new HistoryStore({ directory: join(directory, "history"), clock, logger });
  const cache = new WholeCache(solver.cache, contexts);
  const jobs = new JobRegistry();
  const worker = () => workerRecord(options);
  const images = new LinkedImages(clock, options.removeImage ?? (() => Promise.resolve()));
  const bodies = new BodyContexts();
  const jobContext = { solver, sessions, contexts, images, bodies, job: jobs.get.bind(jobs) };
  const acceptSession = (stream: Duplex, metadata: Metadata): void => {
    sessions.accept(stream, sessionHeaders(metadata));
  };
  const control = { jobs, jobContext, cache, history, worker, acceptSession };
  const builds = new BuildService(control, bodies);
  const handlers: readonly Handler[] = [
    ...controlService(control),
    ...bridgeService({ jobs, worker, attestations: true }),
    unary(Health.check, () => Promise.resolve({ status: 1 })),
    // Traces of clients are of no use here, and clients wait for the answer.
    unary(TraceExport.export, () => Promise.resolve({})),
  ];
  const connections = new Set<Duplex>();
  const keep = (socket: Duplex): void => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  };
  return {
    cache,
    build: builds.build.bind(builds),
    cancel: builds.cancel.bind(builds),
    checkSession: (headers) => sessions.check(sessionHeaders(headers)),
    session: (socket, headers) => {
      keep(socket);
      acceptSession(socket, headers);
    },
    grpc: (socket) => {
      keep(socket);
      serveGrpc(serverSession(socket), handlers, {
        describe: errorDetails,
        code: clientCode,
        onError: (path, error) => logger.error("a builder's call failed", { path, error }),
      });
    },
    [Symbol.asyncDispose]: async () => {
      sessions[Symbol.dispose]();
      for (const socket of connections) socket.destroy();
      // Their clients are gone; what they leave is written down first.
      await jobs.idle();
      await images[Symbol.asyncDispose]();
    },
  };
}

/** Clients put the name of any other code before the message; of what fails in a build, BuildKit gives none. */
function clientCode(path: string, code: number): number {
  const ofBuild = path === Control.solve.path || path.startsWith("/moby.buildkit.v1.frontend.");
  return ofBuild && code !== Code.canceled ? Code.unknown : code;
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

function workerRecord({ version, hostGateway }: BuildkitDoorOptions): Init<ValueOf<typeof WorkerRecord>> {
  const architecture = ARCHITECTURES[arch];
  if (architecture === undefined) throw new InvalidArgument(`architecture ${arch} is not supported`);
  const gateway = hostGateway?.();
  return {
    id: "boxship",
    labels: {
      "org.mobyproject.buildkit.worker.executor": "boxship",
      // Clients take this as the sign of a store that has indexes, archives and caches as outputs.
      "org.mobyproject.buildkit.worker.snapshotter": "overlay",
      ...(gateway === undefined ? {} : { "org.mobyproject.buildkit.worker.moby.host-gateway-ip": gateway }),
    },
    platforms: [{ os: "linux", architecture }],
    buildkitVersion: { package: "boxship", version: `${LEVEL}+boxship-${version}` },
  };
}

/** The two builders behind one `POST /build`: clients say which of them they mean. */
export function bothBuilders(classic: ClassicDoor, buildkit: BuildkitDoor): ClassicDoor {
  return {
    ...classic,
    build: (build, write, signal) =>
      wantsBuildkit(build.query) ? buildkit.build(build, write, signal) : classic.build(build, write, signal),
    cancel: (buildId) => {
      buildkit.cancel(buildId);
      classic.cancel(buildId);
    },
  };
}
