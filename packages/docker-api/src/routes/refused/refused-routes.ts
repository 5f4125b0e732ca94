import { Unavailable, Unsupported } from "@boxship/base";
import { defineRoute, type Method, ok, type Route } from "../../http/route.ts";
import type { PathPattern } from "../../http/router.ts";

const NOT_A_MANAGER =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

type Verb = readonly [Method, PathPattern, minVersion?: number];

/** Endpoints that a daemon outside a swarm answers just like this. */
const SWARM: readonly Verb[] = [
  ["GET", "/swarm"],
  ["POST", "/swarm/update"],
  ["POST", "/swarm/unlock"],
  ["GET", "/swarm/unlockkey"],
  ...crud("/services"),
  ["GET", "/services/{id}/logs", 29],
  ["GET", "/nodes"],
  ["GET", "/nodes/{id}"],
  ["DELETE", "/nodes/{id}"],
  ["POST", "/nodes/{id}/update"],
  ["GET", "/tasks"],
  ["GET", "/tasks/{id}"],
  ["GET", "/tasks/{id}/logs", 29],
  ...crud("/secrets"),
  ...crud("/configs"),
  ["PUT", "/volumes/{name}", 42],
];

function crud(noun: PathPattern): readonly Verb[] {
  return [
    ["GET", noun],
    ["POST", `${noun}/create`],
    ["GET", `${noun}/{id}`],
    ["DELETE", `${noun}/{id}`],
    ["POST", `${noun}/{id}/update`],
  ];
}

interface Refusal {
  readonly verbs: readonly Verb[];
  /** What it is, for the message: "`subject` is not supported: `reason`". */
  readonly subject: string;
  readonly reason: string;
  readonly remedy?: string;
}

const PLUGIN_VERBS: readonly Verb[] = [
  ["GET", "/plugins/privileges"],
  ["POST", "/plugins/pull"],
  ["POST", "/plugins/create"],
  ["GET", "/plugins/{name*}/json"],
  ["DELETE", "/plugins/{name*}"],
  ["POST", "/plugins/{name*}/enable"],
  ["POST", "/plugins/{name*}/disable"],
  ["POST", "/plugins/{name*}/upgrade"],
  ["POST", "/plugins/{name*}/push"],
  ["POST", "/plugins/{name*}/set"],
];

const REFUSALS: readonly Refusal[] = [
  {
    verbs: [
      ["POST", "/swarm/init"],
      ["POST", "/swarm/join"],
    ],
    subject: "swarm mode",
    reason: "nodes join a Boxship cluster, which speaks the Kubernetes API",
  },
  { verbs: PLUGIN_VERBS, subject: "the management of plugins", reason: "drivers are built into the engine" },
];

function refuse([method, path, minVersion = 24]: Verb, note: string, error: () => Error): Route {
  return defineRoute({
    method,
    path,
    minVersion,
    doc: { state: "refused", note },
    handle: () => Promise.reject(error()),
  });
}

const swarmRoutes = SWARM.map((verb) =>
  refuse(
    verb,
    "503, as by any daemon that is not in a swarm; services will come with the cluster, which speaks the Kubernetes API",
    () => new Unavailable(NOT_A_MANAGER),
  ),
);

const refusedRoutes = REFUSALS.flatMap(({ verbs, subject, reason, remedy }) =>
  verbs.map((verb) =>
    refuse(
      verb,
      reason,
      () => new Unsupported(`${subject} is not supported: ${reason}`, remedy === undefined ? {} : { remedy }),
    ),
  ),
);

/** Leaving a swarm that one is not in, listing plugins that do not exist. */
const emptyRoutes: readonly Route[] = [
  defineRoute({
    method: "POST",
    path: "/swarm/leave",
    doc: {
      state: "refused",
      note: "503, as by any daemon that is not in a swarm; services will come with the cluster, which speaks the Kubernetes API",
    },
    handle: () => Promise.reject(new Unavailable("This node is not part of a swarm")),
  }),
  defineRoute({
    method: "GET",
    path: "/plugins",
    doc: {
      state: "works",
      note: "the list is empty",
      details: { filters: { state: "differs", note: "changes nothing: there are none" } },
    },
    handle: () => Promise.resolve(ok([])),
  }),
];

export const REFUSED_ROUTES: readonly Route[] = [...swarmRoutes, ...refusedRoutes, ...emptyRoutes];
