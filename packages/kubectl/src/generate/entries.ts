import type { Command, Entry } from "../command.ts";

const from =
  <T>(load: () => Promise<T>, pick: (module: T) => unknown) =>
  async () => ({ command: pick(await load()) as Command });

const access = () => import("./access.ts");
const data = () => import("./data.ts");
const policies = () => import("./policies.ts");
const services = () => import("./services.ts");
const workloads = () => import("./workloads.ts");

/** Words after `create`. */
export const createEntries: readonly Entry[] = [
  { name: "clusterrole", load: from(access, (module) => module.clusterrole) },
  { name: "clusterrolebinding", load: from(access, (module) => module.clusterrolebinding) },
  { name: "configmap", aliases: ["cm"], load: from(data, (module) => module.configmap) },
  { name: "cronjob", aliases: ["cj"], load: from(workloads, (module) => module.cronjob) },
  { name: "deployment", aliases: ["deploy"], load: from(workloads, (module) => module.deployment) },
  { name: "ingress", aliases: ["ing"], load: from(policies, (module) => module.ingress) },
  { name: "job", load: from(workloads, (module) => module.job) },
  { name: "namespace", aliases: ["ns"], load: from(policies, (module) => module.namespace) },
  { name: "poddisruptionbudget", aliases: ["pdb"], load: from(policies, (module) => module.poddisruptionbudget) },
  { name: "priorityclass", aliases: ["pc"], load: from(policies, (module) => module.priorityclass) },
  { name: "quota", aliases: ["resourcequota"], load: from(policies, (module) => module.quota) },
  { name: "role", load: from(access, (module) => module.role) },
  { name: "rolebinding", load: from(access, (module) => module.rolebinding) },
  {
    name: "secret",
    summary: "Create a secret using a specified subcommand",
    children: [
      { name: "docker-registry", load: from(data, (module) => module.secretDockerRegistry) },
      { name: "generic", load: from(data, (module) => module.secretGeneric) },
      { name: "tls", load: from(data, (module) => module.secretTls) },
    ],
  },
  {
    name: "service",
    summary: "Create a service using a specified subcommand",
    aliases: ["svc"],
    children: [
      { name: "clusterip", load: from(services, (module) => module.clusterip) },
      { name: "externalname", load: from(services, (module) => module.externalname) },
      { name: "loadbalancer", load: from(services, (module) => module.loadbalancer) },
      { name: "nodeport", load: from(services, (module) => module.nodeport) },
    ],
  },
  { name: "serviceaccount", aliases: ["sa"], load: from(access, (module) => module.serviceaccount) },
  { name: "token", load: from(access, (module) => module.token) },
];
