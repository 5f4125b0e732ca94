import { isObject, type KubeObject } from "@boxship/api";
import type { AdmissionPlugin } from "../contract.ts";
import type { ServerContext } from "../server-context.ts";
import { allObjects } from "../storage/read-objects.ts";

interface Defaulted {
  readonly plugin: string;
  readonly group: string;
  readonly resource: string;
  /** In the spec: the class's name. */
  readonly field: string;
  /** On the object: the class's name, as it was written once. */
  readonly legacy: string;
  readonly classGroup: string;
  readonly classes: string;
  readonly mark: string;
}

const STORAGE: Defaulted = {
  plugin: "DefaultStorageClass",
  group: "",
  resource: "persistentvolumeclaims",
  field: "storageClassName",
  legacy: "volume.beta.kubernetes.io/storage-class",
  classGroup: "storage.k8s.io",
  classes: "storageclasses",
  mark: "storageclass.kubernetes.io/is-default-class",
};

const INGRESS: Defaulted = {
  plugin: "DefaultIngressClass",
  group: "networking.k8s.io",
  resource: "ingresses",
  field: "ingressClassName",
  legacy: "kubernetes.io/ingress.class",
  classGroup: "networking.k8s.io",
  classes: "ingressclasses",
  mark: "ingressclass.kubernetes.io/is-default-class",
};

/** Claims and ingresses that name no class get the one that is marked as the default; of several the newest. */
export function defaultClasses(context: () => ServerContext): readonly AdmissionPlugin[] {
  return [STORAGE, INGRESS].map((defaulted) => ({
    name: defaulted.plugin,
    async mutate({ kind, operation, subresource, object }) {
      if (operation !== "CREATE" || subresource !== "" || object === null) return;
      if (kind.group !== defaulted.group || kind.resource !== defaulted.resource) return;
      const spec = object["spec"];
      if (!isObject(spec) || spec[defaulted.field] !== undefined) return;
      if (object.metadata.annotations?.[defaulted.legacy] !== undefined) return;
      const found = await defaultClass(context(), defaulted);
      if (found?.metadata.name !== undefined) spec[defaulted.field] = found.metadata.name;
    },
  }));
}

async function defaultClass(
  context: ServerContext,
  { classGroup, classes, mark }: Defaulted,
): Promise<KubeObject | undefined> {
  const all = await allObjects(context, classGroup, classes);
  const made = ({ metadata }: KubeObject): string => metadata.creationTimestamp ?? "";
  return all
    .filter(({ metadata }) => metadata.annotations?.[mark] === "true")
    .toSorted((left, right) => made(right).localeCompare(made(left)))[0];
}
