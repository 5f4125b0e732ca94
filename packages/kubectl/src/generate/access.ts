import type { Json, JsonObject } from "@boxship/api";
import { textAt } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { type Command, defineCommand } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { array, duration, slice, str } from "../flags.ts";
import { outputFlags } from "../global-flags.ts";
import { formatPrinter, unknownFormat } from "../print/printer.ts";
import { objectPathOf } from "../resource/discovery.ts";
import type { Session } from "../session.ts";
import { generator, objectOf, parseLabels } from "./generator.ts";

export const serviceaccount = generator({
  usage: "NAME [--dry-run=server|client|none]",
  summary: "Create a service account with the specified name",
  flags: {},
  build: ({ name }) => objectOf("v1", "ServiceAccount", { name }, {}),
});

const RBAC = "rbac.authorization.k8s.io/v1";
const GROUP = "rbac.authorization.k8s.io";

interface RuleFlags {
  readonly verb: readonly string[];
  readonly resource: readonly string[];
  readonly "resource-name": readonly string[];
}

/** Rules with one group each, in the order in which groups were named. */
async function rulesOf(session: Session, flags: RuleFlags, urls: readonly string[]): Promise<Json[]> {
  const verbs = [...new Set(flags.verb)];
  if (verbs.length === 0) throw new Refusal("at least one verb must be specified");
  if (flags.resource.length === 0 && urls.length === 0) throw new Refusal("at least one resource must be specified");
  const chosen = verbs.includes("*") ? ["*"] : verbs;
  const groups = new Map<string, string[]>();
  const mapper = flags.resource.length === 0 ? undefined : await session.mapper();
  for (const word of flags.resource) {
    const [name = "", sub] = word.split("/");
    if (name === "*") {
      groups.set("*", ["*"]);
      continue;
    }
    const mapping = mapper?.find(name);
    if (mapping === undefined)
      throw new PlainRefusal(
        `error: the server doesn't have a resource type ${JSON.stringify(name.split(".")[0])}${name.includes(".") ? ` in group ${JSON.stringify(name.split(".").slice(1).join("."))}` : ""}`,
      );
    const list = groups.get(mapping.group) ?? [];
    const full = sub === undefined ? mapping.resource : `${mapping.resource}/${sub}`;
    if (!list.includes(full)) list.push(full);
    groups.set(mapping.group, list);
  }
  const names = flags["resource-name"];
  const rules: Json[] = [...groups].map(([group, resources]) => ({
    verbs: [...chosen],
    apiGroups: [group],
    resources,
    ...(names.length > 0 && { resourceNames: [...names] }),
  }));
  if (urls.length > 0) rules.push({ verbs: [...chosen], nonResourceURLs: [...urls] });
  return rules;
}

const ruleFlags = { resource: slice(), "resource-name": array(), verb: slice() };

export const role = generator({
  usage: "NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename]",
  summary: "Create a role with single rule",
  flags: ruleFlags,
  build: async ({ session, flags, name }) =>
    objectOf(RBAC, "Role", { name }, { rules: await rulesOf(session, flags, []) }),
});

export const clusterrole = generator({
  usage: "NAME --verb=verb --resource=resource.group [--resource-name=resourcename]",
  summary: "Create a cluster role",
  flags: { ...ruleFlags, "aggregation-rule": str(), "non-resource-url": slice() },
  async build({ session, flags, name }) {
    if (flags["aggregation-rule"] === "") {
      return objectOf(
        RBAC,
        "ClusterRole",
        { name },
        { rules: await rulesOf(session, flags, flags["non-resource-url"]) },
      );
    }
    if (
      flags["non-resource-url"].length + flags.verb.length + flags.resource.length + flags["resource-name"].length >
      0
    ) {
      throw new Refusal("aggregation rule must be specified without nonResourceURLs, resources or resourceNames");
    }
    const clusterRoleSelectors = [{ matchLabels: parseLabels(flags["aggregation-rule"]) }];
    return objectOf(RBAC, "ClusterRole", { name }, { rules: null, aggregationRule: { clusterRoleSelectors } });
  },
});

const subjectFlags = { group: array(), serviceaccount: array(), user: array() };

interface SubjectFlags {
  readonly group: readonly string[];
  readonly serviceaccount: readonly string[];
  readonly user: readonly string[];
}

export function subjectsOf({ user, group, serviceaccount: accounts }: SubjectFlags): Json[] {
  return [
    ...user.map((name) => ({ kind: "User", apiGroup: GROUP, name })),
    ...group.map((name) => ({ kind: "Group", apiGroup: GROUP, name })),
    ...accounts.map((account) => {
      const [namespace = "", name = "", ...more] = account.split(":");
      if (namespace === "" || name === "" || more.length > 0)
        throw new Refusal("serviceaccount must be <namespace>:<name>");
      return { kind: "ServiceAccount", name, namespace };
    }),
  ];
}

function withSubjects(subjects: Json[], roleRef: JsonObject): JsonObject {
  return { ...(subjects.length > 0 && { subjects }), roleRef };
}

export const rolebinding = generator({
  usage:
    "NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname]",
  summary: "Create a role binding for a particular role or cluster role",
  flags: { ...subjectFlags, clusterrole: str(), role: str() },
  build({ flags, name }) {
    if ((flags.clusterrole === "") === (flags.role === "")) {
      throw new Refusal("exactly one of clusterrole or role must be specified");
    }
    const roleRef =
      flags.role === ""
        ? { apiGroup: GROUP, kind: "ClusterRole", name: flags.clusterrole }
        : { apiGroup: GROUP, kind: "Role", name: flags.role };
    return objectOf(RBAC, "RoleBinding", { name }, withSubjects(subjectsOf(flags), roleRef));
  },
});

export const clusterrolebinding = generator({
  usage:
    "NAME --clusterrole=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname]",
  summary: "Create a cluster role binding for a particular cluster role",
  flags: { ...subjectFlags, clusterrole: str() },
  required: ["clusterrole"],
  build({ flags, name }) {
    const roleRef = { apiGroup: GROUP, kind: "ClusterRole", name: flags.clusterrole };
    return objectOf(RBAC, "ClusterRoleBinding", { name }, withSubjects(subjectsOf(flags), roleRef));
  },
});

export const token: Command = defineCommand({
  usage: "SERVICE_ACCOUNT_NAME",
  summary: "Request a service account token",
  flags: {
    ...outputFlags,
    audience: array(),
    "bound-object-kind": str(),
    "bound-object-name": str(),
    "bound-object-uid": str(),
    duration: duration(),
  },
  async run(session, { flags, changed, operands, path }) {
    const [name] = operands;
    if (name === undefined || operands.length > 1) {
      throw new PlainRefusal(
        `error: exactly one NAME is required, got ${operands.length}\nSee '${path} -h' for help and examples`,
      );
    }
    if (changed.has("duration") && flags.duration < 1000) throw new Refusal("duration must be positive");
    const kind = flags["bound-object-kind"];
    if (!["", "Pod", "Secret", "Node"].includes(kind)) {
      throw new Refusal(`supported --bound-object-kind values are Node, Pod, Secret`);
    }
    if (kind !== "" && flags["bound-object-name"] === "")
      throw new Refusal("--bound-object-name is required if --bound-object-kind is provided");
    if (kind === "" && flags["bound-object-name"] !== "")
      throw new Refusal("--bound-object-name can only be set if --bound-object-kind is provided");
    const bound = {
      kind,
      apiVersion: "v1",
      name: flags["bound-object-name"],
      ...(flags["bound-object-uid"] !== "" && { uid: flags["bound-object-uid"] }),
    };
    const spec = {
      audiences: [...flags.audience],
      ...(flags.duration > 0 && { expirationSeconds: Math.round(flags.duration / 1000) }),
      ...(kind !== "" && { boundObjectRef: bound }),
    };
    const print = await formatPrinter(flags);
    if (print === undefined && flags.output !== "") throw unknownFormat(flags.output);
    const mapping = (await session.mapper()).known("", "serviceaccounts");
    const at = objectPathOf(mapping, await session.namespace(), name, "token");
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec };
    const answer = await (await session.api()).call("POST", at, { body }).catch((error: unknown) => {
      throw new Refusal(`failed to create token: ${errorMessage(error)}`);
    });
    if (print === undefined) session.print(textAt(answer, "status", "token"));
    else session.io.stdout.write(print(answer));
  },
});
