import { type Clock, goDuration, hostAndPort, sleep } from "@boxship/base";
import { type ClientSession, Code, codeName, codeOf, dial, field, GrpcClient, message, method } from "@boxship/grpc";

const HealthCheckRequest = message("HealthCheckRequest", { service: field.string(1) });
const HealthCheckResponse = message("HealthCheckResponse", { status: field.int32(1) });
const CHECK = method("grpc.health.v1.Health", "Check", HealthCheckRequest, HealthCheckResponse);
/** By number, as answers have them. */
const SERVING_STATUS = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
/** Who refuses is asked again, as grpc-go does, for as long as there is time. */
const AGAIN_MS = 1000;

/** Whom a probe by gRPC asks. */
export interface HealthTarget {
  readonly clock: Clock;
  readonly podIP: string;
  readonly timeoutSeconds: number;
}

/**
 * Asks a server for its health, or that of one of its services, by `grpc.health.v1`; what is found is told in the kubelet's words.
 * Rejects only for what is no answer of the server's.
 */
export async function askHealth(
  port: number,
  service: string,
  { clock, podIP, timeoutSeconds }: HealthTarget,
): Promise<{ readonly success: boolean; readonly output: string }> {
  const address = hostAndPort(podIP, port);
  const deadline = clock.monotonic() + timeoutSeconds * 1000;
  const left = (): number => deadline - clock.monotonic();
  const within = goDuration(timeoutSeconds * 1e9);
  const failed = (output: string) => ({ success: false, output });
  const session = await connect(new URL(`http://${address}`), clock, left);
  if (session === undefined) {
    return failed(`timeout: failed to connect service "${address}" within ${within}: context deadline exceeded`);
  }
  try {
    const client = new GrpcClient(session, { authority: address, isPlain: true });
    const metadata = { "user-agent": ["kube-probe/1.36"] };
    const { status } = await client.unary(CHECK, { service }, { metadata, timeout: Math.max(1, left()) });
    const word = SERVING_STATUS[status] ?? String(status);
    return word === "SERVING" ? { success: true, output: "" } : failed(`service unhealthy (responded with "${word}")`);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = codeOf(error) ?? (left() <= 0 ? Code.deadlineExceeded : Code.unavailable);
    if (code === Code.deadlineExceeded) return failed(`timeout: health rpc did not complete within ${within}`);
    if (code === Code.unimplemented) {
      const what = "this server does not implement the grpc health protocol (grpc.health.v1.Health)";
      return failed(`error: ${what}: ${error.message}`);
    }
    return failed(`error: health rpc probe failed: rpc error: code = ${codeName(code)} desc = ${error.message}`);
  } finally {
    session.destroy();
  }
}

/** Undefined when there was no connection with a server that speaks HTTP/2 in time. */
async function connect(address: URL, clock: Clock, left: () => number): Promise<ClientSession | undefined> {
  while (left() > 0) {
    const session = await dial(address, { timeout: left() }).catch(() => undefined);
    if (session !== undefined) {
      if (await speaks(session, clock, left())) return session;
      session.destroy();
    }
    await sleep(clock, Math.max(0, Math.min(AGAIN_MS, left())));
  }
  return undefined;
}

/** Whether the other side has said what it takes, as every server of HTTP/2 does first. */
async function speaks(session: ClientSession, clock: Clock, milliseconds: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  using _timer = clock.setTimeout(Math.max(0, milliseconds), () => resolve(false));
  session.on("error", () => resolve(false));
  session.once("close", () => resolve(false));
  session.once("remoteSettings", () => resolve(true));
  return await promise;
}
