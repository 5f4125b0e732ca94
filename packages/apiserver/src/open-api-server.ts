import { createSecureServer, type Http2SecureServer, type Http2Session } from "node:http2";
import type { Socket } from "node:net";
import { builtinKinds, KindRegistry } from "@boxship/api";
import { type Clock, type Logger, systemClock } from "@boxship/base";
import type { Store } from "@boxship/store";
import { certificateAuthenticator } from "./access/authenticate.ts";
import { mastersAuthorizer } from "./access/authorize.ts";
import { namespaceLifecycle } from "./admission/namespace-lifecycle.ts";
import { serviceAddresses } from "./admission/service-addresses.ts";
import { unservedWarning } from "./admission/unserved-warning.ts";
import { bootstrapObjects } from "./bootstrap/bootstrap-objects.ts";
import { ensureObjects } from "./bootstrap/ensure-objects.ts";
import type { ClusterCertificates } from "./certificates/cluster-certificates.ts";
import type { AdmissionPlugin, Authenticator, Authorizer } from "./contract.ts";
import { CustomKinds, celWarning } from "./crd/custom-kinds.ts";
import { DiscoveryDocuments } from "./discovery/discovery-documents.ts";
import { handleRequest, type Listening } from "./http/handle-request.ts";
import { RequestMetrics } from "./http/request-metrics.ts";
import type { Outgoing } from "./http/send-reply.ts";
import { NamespaceCleaner } from "./lifecycle/namespace-cleaner.ts";
import { OpenapiDocuments } from "./openapi/openapi-documents.ts";
import type { Describe } from "./openapi/schema-document.ts";
import { defaultRoles } from "./rbac/default-roles.ts";
import { preventEscalation } from "./rbac/prevent-escalation.ts";
import { RbacAuthorizer } from "./rbac/rbac-authorizer.ts";
import type { ServerContext } from "./server-context.ts";
import { Compactor } from "./storage/compactor.ts";
import { ObjectLeases } from "./storage/object-leases.ts";
import { ObjectStore } from "./storage/object-store.ts";
import { PLAIN_VALUES, type ValueCodec } from "./storage/value-codec.ts";

export interface ApiServerOptions {
  /** Stays the caller's, and outlives the server. */
  readonly store: Store;
  readonly certificates: ClusterCertificates;
  /** How secrets are kept. */
  readonly secrets: ValueCodec;
  /** Of the service `kubernetes`. */
  readonly serviceAddress: string;
  /** Where the server will listen. */
  readonly port: number;
  /** Asked after client certificates. @default none */
  readonly authenticators?: readonly Authenticator[];
  /** Asked after the shortcut of system:masters. @default none */
  readonly authorizers?: readonly Authorizer[];
  /** Asked after the built-in ones. @default none */
  readonly admission?: readonly AdmissionPlugin[];
  /** What definitions and fields are for: the words of `kubectl explain`. @default no words */
  readonly describe?: Describe;
  readonly clock?: Clock;
  readonly logger: Logger;
}

/** The Kubernetes API over a store. */
export interface ApiServer extends AsyncDisposable {
  /** Speaks HTTP/2 and HTTP/1.1 over TLS; not listening yet. */
  readonly server: Http2SecureServer;
  readonly context: ServerContext;
  /** Ends watches, and connections that nobody uses. */
  stop(): void;
  /** Ends whatever is still open. */
  closeConnections(): void;
}

const SECRETS = "/registry/core/secrets/";

/** Opens the API, and makes what every cluster has from its first start. */
export async function openApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, clock = systemClock, logger } = options;
  await using stack = new AsyncDisposableStack();
  const objects = stack.use(
    await ObjectStore.open({
      store,
      clock,
      logger,
      codecFor: (collection) => (collection === SECRETS ? options.secrets : PLAIN_VALUES),
    }),
  );
  const compactor = stack.use(new Compactor(store, clock, logger));
  objects.onTold((revision) => compactor.written(revision));
  const kinds = new KindRegistry(builtinKinds());
  const ending = new AbortController();
  stack.defer(() => ending.abort());
  const rbac = new RbacAuthorizer(() => context);
  const context: ServerContext = {
    objects,
    kinds,
    admission: [
      namespaceLifecycle(() => context),
      serviceAddresses(() => context),
      preventEscalation(
        () => context,
        () => rbac,
      ),
      celWarning,
      unservedWarning,
      ...(options.admission ?? []),
    ],
    authorizers: [mastersAuthorizer, ...(options.authorizers ?? []), rbac],
    clock,
    logger,
    ending: ending.signal,
    leases: new ObjectLeases(store, clock),
  };
  const [namespaces, rest] = splitNamespaces(bootstrapObjects(options.serviceAddress, options.port));
  await ensureObjects(context, namespaces);
  await ensureObjects(context, [...rest, ...defaultRoles()]);
  stack.use(await CustomKinds.open(context, kinds));
  stack.use(await NamespaceCleaner.open(context));
  const server = listener(options, context);
  const sessions = new Set<Http2Session>();
  const sockets = new Set<Socket>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  server.on("secureConnection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const owned = stack.move();
  return {
    server,
    context,
    stop() {
      ending.abort();
      for (const session of sessions) session.close();
    },
    closeConnections() {
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function splitNamespaces(objects: ReturnType<typeof bootstrapObjects>) {
  return [
    objects.filter(({ kind }) => kind === "Namespace"),
    objects.filter(({ kind }) => kind !== "Namespace"),
  ] as const;
}

function listener(options: ApiServerOptions, context: ServerContext): Http2SecureServer {
  const { certificates, store } = options;
  const metrics = new RequestMetrics();
  const openapi = new OpenapiDocuments(context.kinds, options.describe);
  const listening: Listening = {
    context,
    authenticators: [certificateAuthenticator, ...(options.authenticators ?? [])],
    discovery: new DiscoveryDocuments(context.kinds),
    checks: [
      { name: "ping", check: () => {} },
      { name: "store", check: async () => void (await store.range({ start: "/registry" })) },
    ],
    openapi: (path, _, headers) => openapi.reply(path, headers["if-none-match"]),
    metrics: () => metrics.reply(),
    measured: (...measured) => metrics.measured(...measured),
  };
  const server = createSecureServer({
    allowHTTP1: true,
    key: certificates.server.key,
    cert: certificates.server.certificate,
    ca: certificates.authority,
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: "TLSv1.2",
    settings: { maxConcurrentStreams: 1000 },
  });
  server.on("request", (request, response) => {
    handleRequest(listening, request, response as unknown as Outgoing).catch((error: unknown) => {
      context.logger.error("a request could not be answered", { error });
      (response as unknown as Outgoing).destroy();
    });
  });
  return server;
}
