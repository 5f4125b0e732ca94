import { isObject, type Json } from "../../object/json.ts";
import { listAt, textAt, valueAt } from "../../object/kube-object.ts";
import { formatQuantity, parseQuantity } from "../../object/quantity.ts";
import { addressWarnings } from "../../validation/addresses.ts";
import { labelValue } from "../../validation/names.ts";
import { oldKeyWarnings, oldLabel, oldLabelWarnings } from "../../validation/node-selectors.ts";

interface Placed {
  readonly at: string;
  readonly container: Json;
}

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution";
const ANNOTATIONS: Readonly<Record<string, string>> = {
  "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
  "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
  "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
};
const VOLUMES: readonly (readonly [type: string, shown: string, why: string])[] = [
  ["photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"],
  ["gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"],
  ["scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"],
  ["flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"],
  ["storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"],
  ["quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"],
  ["glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"],
  ["cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"],
  ["rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"],
];

function ofNodes(at: string, spec: Json | undefined): readonly string[] {
  const node = valueAt(spec, "affinity", "nodeAffinity");
  const base = `${at}affinity.nodeAffinity`;
  return [
    ...oldKeyWarnings(valueAt(spec, "nodeSelector"), (key) => `${at}nodeSelector[${key}]`),
    ...listAt(node, REQUIRED, "nodeSelectorTerms").flatMap((term, index) =>
      oldLabelWarnings(`${base}.${REQUIRED}.nodeSelectorTerms[${index}]`, term),
    ),
    ...listAt(node, PREFERRED).flatMap((term, index) => {
      const here = `${base}.${PREFERRED}[${index}].preference`;
      const preference = valueAt(term, "preference");
      return [
        ...oldLabelWarnings(here, preference),
        ...listAt(preference, "matchExpressions").flatMap((one, place) =>
          listAt(one, "values").flatMap((value, position) =>
            labelValue(textAt(value)).map(
              (why) => `${here}.matchExpressions[${place}].values[${position}]: ${textAt(value)} is invalid, ${why}`,
            ),
          ),
        ),
      ];
    }),
    ...listAt(spec, "topologySpreadConstraints").flatMap((one, index) => {
      const here = `${at}topologySpreadConstraints[${index}]`;
      const instead = oldLabel(textAt(one, "topologyKey"));
      return [
        ...(instead === undefined ? [] : [`${here}.topologyKey: ${textAt(one, "topologyKey")} is ${instead}`]),
        ...unselected(`${here}.labelSelector`, valueAt(one, "labelSelector")),
      ];
    }),
  ];
}

const unselected = (at: string, selector: Json | undefined): readonly string[] =>
  isObject(selector) ? [] : [`${at}: a null labelSelector results in matching no pod`];

const ofPods = (at: string, spec: Json | undefined): readonly string[] =>
  ["podAffinity", "podAntiAffinity"].flatMap((field) => {
    const own = valueAt(spec, "affinity", field);
    const base = `${at}affinity.${field}`;
    return [
      ...listAt(own, REQUIRED).flatMap((term, index) =>
        unselected(`${base}.${REQUIRED}[${index}].labelSelector`, valueAt(term, "labelSelector")),
      ),
      ...listAt(own, PREFERRED).flatMap((term, index) =>
        unselected(
          `${base}.${PREFERRED}[${index}].podAffinityTerm.labelSelector`,
          valueAt(term, "podAffinityTerm", "labelSelector"),
        ),
      ),
    ];
  });

/** The names of list items that are there twice, and with which an apply loses one. */
function twice(at: string, items: readonly Json[], field: string, shown: string): readonly string[] {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const name = textAt(item, field);
    if (seen.size < seen.add(name).size) return [];
    return [`${at}[${index}].${field}: duplicate ${shown} ${JSON.stringify(name)}`];
  });
}

const BYTES = ["memory", "ephemeral-storage"];

const fractions = (at: string, list: Json | undefined): readonly string[] =>
  BYTES.flatMap((name) => {
    const amount = parseQuantity(textAt(list, name));
    return amount === undefined || amount.nano % 1_000_000_000n === 0n
      ? []
      : [
          `${at}[${name}]: fractional byte value ${JSON.stringify(formatQuantity(amount))} is invalid, must be an integer`,
        ];
  });

/** A variable may be defined again from itself, and not otherwise. */
function hidden({ at, container }: Placed): readonly string[] {
  const variables = listAt(container, "env");
  const seen = new Set<string>();
  return variables.flatMap((variable, index) => {
    const name = textAt(variable, "name");
    if (seen.size < seen.add(name).size) return [];
    const [value, self] = [textAt(variable, "value"), `$(${name})`];
    const extends_ = !isObject(valueAt(variable, "valueFrom")) && value !== self && value.includes(self);
    return extends_
      ? []
      : [
          `${at}.env[${index}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`,
        ];
  });
}

/** Each port with each of the same number: there may be millions, of which nobody is told more than fit into a header. */
const MOST_PAIRS = 1000;

interface PortPlace {
  readonly at: string;
  readonly name: string;
  readonly key: string;
  readonly ip: string;
  readonly host: number;
  /** Among all. */
  readonly index: number;
}

/** Ports of one number and protocol, found by what clashes, so that those that do not are not looked at. */
class SameNumber {
  readonly #lists = new Map<string, PortPlace[]>();

  #of(list: string): readonly PortPlace[] {
    return this.#lists.get(list) ?? [];
  }

  add(port: PortPlace): void {
    const { host, ip } = port;
    for (const list of ["all", `same ${host} ${ip}`, ip === "" ? `anywhere ${host}` : `somewhere ${host}`]) {
      const ports = this.#lists.get(list);
      if (ports === undefined) this.#lists.set(list, [port]);
      else ports.push(port);
    }
  }

  /** What a port clashes with, in order, and no more than so many. */
  clashes({ host, ip }: PortPlace, most: number): readonly (readonly [other: PortPlace, what: string])[] {
    const same = this.#of(`same ${host} ${ip}`);
    // Without one on the host it overlaps with all others of its number.
    const [overlapping, ambiguous] =
      host === 0
        ? [this.#of("all"), []]
        : [
            [...this.#of("anywhere 0").slice(0, most), ...this.#of("somewhere 0").slice(0, most)],
            this.#of(ip === "" ? `somewhere ${host}` : `anywhere ${host}`),
          ];
    const found = new Map<PortPlace, string>();
    for (const [others, what] of [
      [same, "duplicate"],
      [overlapping, "overlapping"],
      [ambiguous, "dangerously ambiguous"],
    ] as const) {
      for (const other of others.slice(0, 2 * most)) if (!found.has(other)) found.set(other, what);
    }
    return [...found].sort(([one], [other]) => one.index - other.index).slice(0, most);
  }
}

function ofPorts(containers: readonly Placed[]): readonly string[] {
  let index = 0;
  const ports: readonly PortPlace[] = containers.flatMap(({ at, container }) =>
    listAt(container, "ports").map((port, place) => ({
      at: `${at}.ports[${place}]`,
      name: textAt(port, "name"),
      key: `${textAt(port, "containerPort")}/${textAt(port, "protocol")}`,
      ip: textAt(port, "hostIP"),
      host: Number(valueAt(port, "hostPort") ?? 0),
      index: index++,
    })),
  );
  const places: string[] = [];
  const names: string[] = [];
  const byKey = new Map<string, SameNumber>();
  const byName = new Map<string, PortPlace>();
  for (const port of ports) {
    const others = byKey.get(port.key) ?? new SameNumber();
    const left = MOST_PAIRS - places.length;
    for (const [other, what] of left > 0 ? others.clashes(port, left) : [])
      places.push(`${port.at}: ${what} port definition with ${other.at}`);
    others.add(port);
    byKey.set(port.key, others);
    const first = byName.get(port.name);
    if (first === undefined) byName.set(port.name, port);
    else if (port.name !== "")
      names.push(
        `${port.at}: duplicate port name ${JSON.stringify(port.name)} with ${first.at}, services and probes that select ports by name will use ${first.at}`,
      );
  }
  return [...places, ...names];
}

/**
 * What the writer of a pod or a template is told that is odd.
 *
 * @param at of the template, with a dot at its end; empty for a pod
 */
export function podWarnings(at: string, metadata: Json | undefined, spec: Json | undefined): readonly string[] {
  const own = `${at}spec.`;
  const containers: readonly Placed[] = ["initContainers", "containers", "ephemeralContainers"].flatMap((list) =>
    listAt(spec, list).map((container, index) => ({ at: `${own}${list}[${index}]`, container })),
  );
  const annotations = valueAt(metadata, "annotations");
  const grace = valueAt(spec, "terminationGracePeriodSeconds");
  return [
    ...ofNodes(own, spec),
    ...Object.entries(ANNOTATIONS).flatMap(([key, why]) =>
      valueAt(annotations, key) === undefined ? [] : [`${at}metadata.annotations[${key}]: ${why}`],
    ),
    ...listAt(spec, "volumes").flatMap((volume, index) =>
      VOLUMES.filter(([type]) => isObject(valueAt(volume, type))).map(
        ([, shown, why]) => `${own}volumes[${index}].${shown}: ${why}`,
      ),
    ),
    ...twice(`${own}hostAliases`, listAt(spec, "hostAliases"), "ip", "ip"),
    ...twice(`${own}imagePullSecrets`, listAt(spec, "imagePullSecrets"), "name", "name"),
    ...listAt(spec, "imagePullSecrets").flatMap((one, index) =>
      textAt(one, "name") === "" ? [`${own}imagePullSecrets[${index}].name: invalid empty name ""`] : [],
    ),
    ...fractions(`${own}overhead`, valueAt(spec, "overhead")),
    ...containers.flatMap((one) => [
      ...fractions(`${one.at}.resources.limits`, valueAt(one.container, "resources", "limits")),
      ...fractions(`${one.at}.resources.requests`, valueAt(one.container, "resources", "requests")),
      ...hidden(one),
    ]),
    ...ofPorts(containers),
    ...(typeof grace === "number" && grace < 0
      ? [`${own}terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`]
      : []),
    ...ofPods(own, spec),
    ...listAt(spec, "dnsConfig", "nameservers").flatMap((one, index) =>
      addressWarnings(`${own}dnsConfig.nameservers[${index}]`, textAt(one)),
    ),
    ...listAt(spec, "hostAliases").flatMap((one, index) =>
      addressWarnings(`${own}hostAliases[${index}].ip`, textAt(one, "ip")),
    ),
  ];
}
