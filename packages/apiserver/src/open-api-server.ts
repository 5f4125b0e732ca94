import { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { createSecureServer, type Http2SecureServer, type Http2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContextOptions } from "node:tls";
import { builtinKinds, KindRegistry } from "@boxship/api";
import { type Clock, type Logger, systemClock } from "@boxship/base";
import { upgradeResponse } from "@boxship/base/pass-on";
import type { Store } from "@boxship/store";
import { certificateAuthenticator } from "./access/authenticate.ts";
import { mastersAuthorizer } from "./access/authorize.ts";
import { ConfiguredAuthorizers, type ConfiguredAuthorizersOptions } from "./access/configured-authorizers.ts";
import { Impersonation } from "./access/impersonate.ts";
import { requestHeaderAuthenticator } from "./access/request-header-authenticator.ts";
import { WebhookAuthorizer } from "./access/webhook-authorizer.ts";
import { defaultPlugins } from "./admission/default-plugins.ts";
import { QuotaBook } from "./admission/quota/quota-book.ts";
import { DEFAULT_SERVICE_NETWORKS, ServiceNetworks } from "./admission/service-networks.ts";
import { ensureAuthenticationConfig } from "./aggregation/authentication-config.ts";
import { ExtensionServers } from "./aggregation/extension-servers.ts";
import { LocalServices } from "./aggregation/local-services.ts";
import type { AuditLog } from "./audit/audit-log.ts";
import type { AuthenticationFile } from "./authentication/authentication-file.ts";
import { OidcTokens } from "./authentication/oidc-tokens.ts";
import type { RemoteServer } from "./authentication/read-kubeconfig.ts";
import { WebhookTokens } from "./authentication/webhook-tokens.ts";
import { bootstrapObjects } from "./bootstrap/bootstrap-objects.ts";
import { ensureObjects } from "./bootstrap/ensure-objects.ts";
import type { ClusterCertificates } from "./certificates/cluster-certificates.ts";
import type { AdmissionPlugin, Authenticator, Authorizer, NodeConnections, User } from "./contract.ts";
import { askConverter } from "./conversion/ask-converter.ts";
import { Versions } from "./conversion/versions.ts";
import { CustomKinds } from "./crd/custom-kinds.ts";
import { DiscoveryDocuments } from "./discovery/discovery-documents.ts";
import { FLOW_CONTROL_OBJECTS } from "./flowcontrol/default-objects.ts";
import { FlowControl, type FlowControlOptions } from "./flowcontrol/flow-control.ts";
import { handleRequest, type Listening } from "./http/handle-request.ts";
import { InProcessDoor } from "./http/in-process.ts";
import { ParsedTargets } from "./http/parsed-targets.ts";
import type { Incoming } from "./http/read-body.ts";
import { RemoteHooks } from "./http/remote-hooks.ts";
import { RequestMetrics } from "./http/request-metrics.ts";
import type { Outgoing } from "./http/send-reply.ts";
import { DefaultAccounts } from "./lifecycle/default-accounts.ts";
import { NamespaceCleaner } from "./lifecycle/namespace-cleaner.ts";
import { PolicyStatus } from "./lifecycle/policy-status.ts";
import { SchemaStatus } from "./lifecycle/schema-status.ts";
import { NodeAuthorizer } from "./node/node-authorizer.ts";
import { builtDescriptions } from "./openapi/descriptions.ts";
import { OpenapiDocuments } from "./openapi/openapi-documents.ts";
import { defaultRoles } from "./rbac/default-roles.ts";
import { RbacAuthorizer } from "./rbac/rbac-authorizer.ts";
import type { Naming, ServerContext } from "./server-context.ts";
import { Compactor } from "./storage/compactor.ts";
import { ObjectLeases } from "./storage/object-leases.ts";
import { ObjectStore } from "./storage/object-store.ts";
import { SECRETS } from "./storage/sealed-collections.ts";
import { PLAIN_VALUES, type ValueCodec } from "./storage/value-codec.ts";
import { BootstrapTokens } from "./tokens/bootstrap-tokens.ts";
import { tokenDocument } from "./tokens/discovery-documents.ts";
import { SecretTokens } from "./tokens/secret-tokens.ts";
import { ServiceAccountTokens } from "./tokens/service-account-tokens.ts";
import type { SigningKeys } from "./tokens/signing-keys.ts";
import { bearerAuthenticator, type TokenAuthenticator, TokenAuthenticators } from "./tokens/token-authenticator.ts";

/** Bytes of a request's head. */
const LARGEST_HEAD = 256 * 1024;

export interface ApiServerOptions {
  /** Stays the caller's, and outlives the server. */
  readonly store: Store;
  readonly certificates: ClusterCertificates;
  /** How secrets are kept. */
  readonly secrets: ValueCodec;
  /** Makes a new key for them, and seals all by it; tells how many. @default keys cannot be rotated */
  readonly rotateKeys?: () => Promise<number>;
  /** What service accounts' tokens are signed with. */
  readonly signingKeys: SigningKeys;
  /** Who issues them, a URL; also what they are for where nothing else is asked. @default the service's */
  readonly tokenIssuer?: string;
  /** How clients reach the server: what others are told who check tokens. @default `https://127.0.0.1:PORT` */
  readonly url?: string;
  /** Issuers of OpenID Connect whose tokens are accepted, and what nobody may ask for. @default none; anything */
  readonly authentication?: AuthenticationFile;
  /** Who is asked about tokens that nobody else knows. @default nobody */
  readonly tokenWebhook?: RemoteServer;
  /** Who is asked about what nobody else has allowed. @default nobody */
  readonly authorizationWebhook?: RemoteServer;
  /** Path of an `AuthorizationConfiguration`, which says who decides after `authorizers`. @default nodes' access, roles, the webhook */
  readonly authorizationFile?: string;
  /** Who asked for what; stays the caller's. @default it is not written down */
  readonly audit?: AuditLog;
  /** Networks of services' addresses, one of each family; `kubernetes` has the first address. @default 10.96.0.0/16 */
  readonly serviceNetworks?: readonly string[];
  /** The zone of the cluster's names. @default "cluster.local" */
  readonly clusterDomain?: string;
  /** Where the server will listen. */
  readonly port: number;
  /** How many requests are answered at a time, and how long others wait. */
  readonly flowControl?: FlowControlOptions;
  /** Asked after client certificates. @default none */
  readonly authenticators?: readonly Authenticator[];
  /** Asked after the shortcut of system:masters. @default none */
  readonly authorizers?: readonly Authorizer[];
  /** Asked after the built-in ones. @default none */
  readonly admission?: readonly AdmissionPlugin[];
  /** How nodes are reached, for logs and commands. @default they are not */
  readonly nodes?: NodeConnections;
  readonly clock?: Clock;
  /** @default at random */
  readonly naming?: Naming;
  readonly logger: Logger;
}

/** The Kubernetes API over a store. */
export interface ApiServer extends AsyncDisposable {
  /** Speaks HTTP/2 and HTTP/1.1 over TLS; not listening yet. */
  readonly server: Http2SecureServer;
  readonly context: ServerContext;
  /** A connection from within this process, for HTTP/2 without TLS; everything on it is asked by the user. */
  connect(user: User): Duplex;
  /** Takes certificates of the same authorities up: connections from now on have them, those that are there go on. */
  renew(certificates: ClusterCertificates): void;
  /** Ends watches, and connections that nobody uses. */
  stop(): void;
  /** Ends whatever is still open. */
  closeConnections(): void;
}

/** Opens the API, and makes what every cluster has from its first start. */
export async function openApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { store, clock = systemClock, logger, clusterDomain = "cluster.local" } = options;
  const serviceNetworks = new ServiceNetworks(options.serviceNetworks ?? DEFAULT_SERVICE_NETWORKS);
  await using stack = new AsyncDisposableStack();
  const objects = stack.use(
    await ObjectStore.open({
      store,
      clock,
      logger,
      codecFor: (collection) => (collection === SECRETS ? options.secrets : PLAIN_VALUES),
      versions: new Versions((...asked) => askConverter(hooks, ...asked)),
    }),
  );
  const compactor = stack.use(new Compactor(store, clock, logger));
  objects.onTold((revision) => compactor.written(revision));
  const kinds = new KindRegistry(builtinKinds());
  const ending = new AbortController();
  stack.defer(() => ending.abort());
  const rbac = new RbacAuthorizer(() => context);
  const tokens = new ServiceAccountTokens({
    context: () => context,
    keys: options.signingKeys,
    issuer: options.tokenIssuer ?? `https://kubernetes.default.svc.${clusterDomain}`,
  });
  const secretTokens = new SecretTokens(() => context, options.signingKeys);
  const context: ServerContext = {
    tokens,
    tokenAuthenticator: tokenAuthenticator(options, () => context, [tokens, secretTokens], stack),
    objects,
    kinds,
    admission: defaultPlugins(
      {
        context: () => context,
        rbac: () => rbac,
        quotas: () => quotas,
        hooks: () => hooks,
        secretTokens: () => secretTokens,
        authority: () => options.certificates.authority,
        serviceNetworks,
      },
      options.admission ?? [],
    ),
    authorizers: [
      mastersAuthorizer,
      ...(options.authorizers ?? []),
      ...(await deciding(options, { Node: new NodeAuthorizer(() => context), RBAC: rbac }, stack)),
    ],
    clock,
    logger,
    ...(options.naming === undefined ? {} : { naming: options.naming }),
    ending: ending.signal,
    ...(options.nodes === undefined ? {} : { nodes: options.nodes }),
    leases: new ObjectLeases(store, clock),
  };
  const hooks = stack.use(new RemoteHooks(() => context));
  const quotas = stack.use(new QuotaBook(context));
  const [namespaces, rest] = splitNamespaces(bootstrapObjects(serviceNetworks.at(1), options.port));
  await ensureObjects(context, namespaces);
  await ensureObjects(context, [...rest, ...defaultRoles(), ...FLOW_CONTROL_OBJECTS]);
  let services: LocalServices | undefined;
  stack.use(await CustomKinds.open(context, kinds, () => services?.kindsChanged()));
  stack.use(await PolicyStatus.open(context));
  stack.use(await SchemaStatus.open(context));
  stack.use(await NamespaceCleaner.open(context));
  stack.use(await DefaultAccounts.open(context, options.certificates.authority));
  await quotas.open();
  const { frontProxy } = options.certificates;
  await ensureAuthenticationConfig(context, options.certificates);
  const extensions = stack.use(await ExtensionServers.open({ context, hooks, client: frontProxy.client }));
  services = stack.use(await LocalServices.open(context));
  const sessions = new Set<Http2Session>();
  const opened = (session: Http2Session): void => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  };
  const { server, door } = listener(options, context, extensions, opened);
  const sockets = new Set<Socket>();
  server.on("session", opened);
  server.on("secureConnection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const owned = stack.move();
  return {
    server,
    context,
    connect: (user) => door.connect(user),
    renew(certificates) {
      server.setSecureContext(secureContext(certificates));
      extensions.renew(certificates.frontProxy.client);
    },
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

function tokenAuthenticator(
  { authentication, tokenWebhook, clock = systemClock }: ApiServerOptions,
  context: () => ServerContext,
  tokens: readonly [ServiceAccountTokens, SecretTokens],
  stack: AsyncDisposableStack,
): TokenAuthenticator {
  const own = [tokens[0].issuer];
  return new TokenAuthenticators([
    ...tokens,
    new BootstrapTokens(context, own),
    ...(authentication?.jwt ?? []).map((rule) => stack.use(new OidcTokens(rule, own, clock))),
    ...(tokenWebhook === undefined ? [] : [stack.use(new WebhookTokens(tokenWebhook, clock))]),
  ]);
}

async function deciding(
  { authorizationFile: path, authorizationWebhook: server, clock = systemClock, logger }: ApiServerOptions,
  own: ConfiguredAuthorizersOptions["own"],
  stack: AsyncDisposableStack,
): Promise<readonly Authorizer[]> {
  if (path !== undefined) return [stack.use(await ConfiguredAuthorizers.open({ path, own, clock, logger }))];
  const webhook = server === undefined ? [] : [stack.use(new WebhookAuthorizer(server, clock, logger))];
  return [own.Node, own.RBAC, ...webhook];
}

function listener(
  options: ApiServerOptions,
  context: ServerContext,
  extensions: ExtensionServers,
  opened: (session: Http2Session) => void,
): { readonly server: Http2SecureServer; readonly door: InProcessDoor } {
  const { certificates, store } = options;
  const metrics = new RequestMetrics();
  const flow = new FlowControl(() => context, context.clock, options.flowControl);
  const openapi = new OpenapiDocuments(context.kinds, extensions, builtDescriptions);
  const listening: Listening = {
    context,
    authenticators: [
      certificateAuthenticator,
      requestHeaderAuthenticator,
      bearerAuthenticator(context.tokenAuthenticator, [context.tokens.issuer]),
      ...(options.authenticators ?? []),
    ],
    ...(options.audit === undefined ? {} : { audit: options.audit }),
    anonymous: options.authentication?.anonymous ?? { enabled: true },
    impersonation: new Impersonation(context.authorizers),
    callerOf: (request) => door.userOf(request),
    targets: new ParsedTargets(),
    discovery: new DiscoveryDocuments(context.kinds, extensions),
    extensions,
    frontProxy: new X509Certificate(certificates.frontProxy.authority).publicKey,
    checks: [
      { name: "ping", check: () => {} },
      { name: "store", check: async () => void (await store.range({ start: "/registry" })) },
    ],
    openapi: (path, _, headers) => openapi.reply(path, headers),
    tokenDocument: (path) => tokenDocument(path, context.tokens, options.url ?? `https://127.0.0.1:${options.port}`),
    flow,
    metrics: () => metrics.reply(flow.metrics()),
    measured: (...measured) => metrics.measured(...measured),
    ...(options.rotateKeys === undefined ? {} : { rotateKeys: options.rotateKeys }),
  };
  const server = createSecureServer({
    allowHTTP1: true,
    ...secureContext(certificates),
    requestCert: true,
    rejectUnauthorized: false,
    // Of HTTP/1.1, which the types of HTTP/2 do not know of: selectors are in the target, and may be long; what is sent
    // to a pod or another server takes as long as it takes, and our own bodies have a time of theirs.
    ...({ maxHeaderSize: LARGEST_HEAD, requestTimeout: 0, headersTimeout: 60_000 } as object),
    settings: { maxConcurrentStreams: 1000, maxHeaderListSize: LARGEST_HEAD },
  });
  const answer = (request: Incoming, response: Outgoing): void => {
    handleRequest(listening, request, response).catch((error: unknown) => {
      context.logger.error("a request could not be answered", { error });
      response.destroy();
    });
  };
  server.on("request", (request, response) => answer(request, response as unknown as Outgoing));
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    answer(request, upgradeResponse(request, socket, head));
  });
  const door = new InProcessDoor(answer, opened);
  return { server, door };
}

function secureContext({ server, authority, frontProxy }: ClusterCertificates): SecureContextOptions {
  const ca = [authority, frontProxy.authority];
  return { key: server.key, cert: server.certificate, ca, minVersion: "TLSv1.2" };
}
