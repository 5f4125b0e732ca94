import { deepEqual, type Json, type JsonObject, listAt, parseLabelSelector } from "@boxship/api";
import { defineCommand } from "../../command.ts";
import { Refusal } from "../../failure.ts";
import { array, str } from "../../flags.ts";
import { subjectsOf } from "../../generate/access.ts";
import { parseLabels } from "../../generate/generator.ts";
import { atPods, podPath } from "../pod-template.ts";
import { containersOf, patchContainers, setFlags, setOn } from "./pods.ts";

export const resources = defineCommand({
  usage: "(-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS]",
  summary: "Update resource requests/limits on objects with pod templates",
  flags: { ...setFlags, containers: str("*", { short: "c" }), limits: str(), requests: str() },
  async run(session, { flags, operands }) {
    if (flags.limits === "" && flags.requests === "")
      throw new Refusal("you must specify an update to requests or limits (in the form of --requests/--limits)");
    const change: JsonObject = {
      resources: {
        ...(flags.limits !== "" && { limits: parseLabels(flags.limits) }),
        ...(flags.requests !== "" && { requests: parseLabels(flags.requests) }),
      },
    };
    await setOn(session, operands, flags, "resource requirements updated", (object) => {
      const found = containersOf(object, flags.containers).filter(({ list }) => list === "containers");
      if (found.length === 0) throw new Refusal(`unable to find container named ${JSON.stringify(flags.containers)}`);
      return patchContainers(
        object,
        found.map((container) => ({ ...container, change })),
      );
    });
  },
});

export const serviceaccount = defineCommand({
  usage: "(-f FILENAME | TYPE NAME) SERVICE_ACCOUNT",
  summary: "Update the service account of a resource",
  flags: setFlags,
  async run(session, { flags, operands }) {
    const name = operands.at(-1);
    if (name === undefined) throw new Refusal("serviceaccount is required");
    await setOn(session, operands.slice(0, -1), flags, "serviceaccount updated", (object) => {
      if (podPath(object.kind) === undefined)
        throw new Refusal(`the object is not a pod or does not have a pod template: ${object.kind}`);
      return atPods(object.kind, { spec: { serviceAccountName: name } });
    });
  },
});

export const selector = defineCommand({
  usage: "(-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version]",
  summary: "Set the selector on a resource",
  flags: { ...setFlags, "resource-version": str() },
  async run(session, { flags, operands }) {
    const text = operands.at(-1) ?? "";
    parseLabelSelector(text);
    if (!/^[^=!]+=[^=]*(,[^=!]+=[^=]*)*$/.test(text))
      throw new Refusal("setting a selector is only supported for Services: as KEY=VALUE");
    const wanted = parseLabels(text);
    await setOn(session, operands.slice(0, -1), flags, "selector updated", (object) => {
      if (object.kind !== "Service") throw new Refusal(`setting a selector is only supported for Services`);
      const version = flags["resource-version"];
      return {
        ...(version !== "" && { metadata: { resourceVersion: version } }),
        spec: { selector: { $patch: "replace", ...wanted } },
      };
    });
  },
});

export const subject = defineCommand({
  usage:
    "(-f FILENAME | TYPE NAME) [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname]",
  summary: "Update the user, group, or service account in a role binding or cluster role binding",
  flags: { ...setFlags, group: array(), serviceaccount: array(), user: array() },
  async run(session, { flags, operands }) {
    const added = subjectsOf(flags);
    if (added.length === 0) throw new Refusal("you must specify at least one value of user, group or serviceaccount");
    await setOn(session, operands, flags, "subjects updated", (object) => {
      if (!object.kind.endsWith("RoleBinding"))
        throw new Refusal("setting subjects is only supported for RoleBinding/ClusterRoleBinding");
      const before: readonly Json[] = listAt(object, "subjects");
      const missing = added.filter((one) => !before.some((other) => deepEqual(one, other)));
      return missing.length === 0 ? undefined : { subjects: [...before, ...missing] };
    });
  },
});
