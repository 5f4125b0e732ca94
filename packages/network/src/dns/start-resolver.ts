import { isLoopback, readHostResolvers } from "../files/resolv-conf.ts";
import { type LiveSandbox, type ManagerContext, networkOf } from "../live.ts";
import { ResolverAddress, type ResolverSockets } from "../worker/namespace-operations.ts";
import { answerQuestion } from "./answer.ts";
import { type Answer, type Question, ResponseCode } from "./message.ts";
import { ResolverServer } from "./resolver-server.ts";
import type { UpstreamServer } from "./upstreams.ts";

/** Starts the resolver of a sandbox on sockets of its namespace. */
export function startResolver(context: ManagerContext, sandbox: LiveSandbox, sockets: ResolverSockets): void {
  sandbox.resolver = new ResolverServer(sockets, {
    answer: (question) => answerQuestion(context, sandbox, question) ?? answerLonely(context, sandbox, question),
    forward: (question, transport) => {
      const zone = context.zones.find(({ name }) => question.name === name || question.name.endsWith(`.${name}`));
      if (zone !== undefined) {
        return context.upstreams.ask(question.message, question.end, [zone.server], transport);
      }
      return context.upstreams.ask(question.message, question.end, upstreamServers(context, sandbox), transport);
    },
  });
}

/** Sandboxes that are only on internal networks ask nobody outside: questions are a way out, too. */
function answerLonely(context: ManagerContext, sandbox: LiveSandbox, _question: Question): Answer | undefined {
  const leadsOut = sandbox.stored.endpoints.some((endpoint) => !networkOf(context, endpoint).record.internal);
  return leadsOut ? undefined : { code: ResponseCode.NameError, records: [] };
}

/**
 * The container's own servers, else the host's. They are asked from the host, so its loopback servers are reached as
 * well; only a loopback server that was given to the container means the container's loopback. Never the address of our
 * resolvers, should somebody have written it into a configuration.
 */
function upstreamServers(context: ManagerContext, { stored }: LiveSandbox): UpstreamServer[] {
  const own = stored.dns.servers ?? [];
  const given = own.length > 0 ? own : stored.endpoints.flatMap(({ nameservers }) => nameservers ?? []);
  if (given.length === 0) {
    const { servers } = readHostResolvers(context.hostResolvConf);
    return servers.filter((server) => server !== ResolverAddress).map((address) => ({ address }));
  }
  return given
    .filter((server) => server !== ResolverAddress)
    .map((address) => (isLoopback(address) ? { address, namespace: stored.path } : { address }));
}
