import { named, pointerTo, stringSliceType, stringType, structOf, typed, type Value } from "@boxship/template";
import { parseVersion } from "../version/version.ts";

/** What templates may ask about the cluster. */
export interface Capabilities {
  /** `v1.36.0`. */
  readonly kubeVersion: string;
  /** Versions of groups (`apps/v1`) and, with a slash and a kind behind, kinds. */
  readonly apiVersions: readonly string[];
}

/** The Helm that ours is like. */
export const HELM_VERSION = "v4.0.0";

/** Of a cluster that nobody has asked: the Kubernetes whose API ours is, and its stable groups. */
export const defaultCapabilities: Capabilities = {
  kubeVersion: "v1.36.0",
  apiVersions: [
    "v1",
    "admissionregistration.k8s.io/v1",
    "apiextensions.k8s.io/v1",
    "apiregistration.k8s.io/v1",
    "apps/v1",
    "authentication.k8s.io/v1",
    "authorization.k8s.io/v1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "certificates.k8s.io/v1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "events.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1",
    "networking.k8s.io/v1",
    "node.k8s.io/v1",
    "policy/v1",
    "rbac.authorization.k8s.io/v1",
    "resource.k8s.io/v1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1",
  ],
};

interface RawKubeVersion {
  readonly Version: string;
}

const kubeVersionType = structOf(
  "chartutil.KubeVersion",
  [
    { name: "Version", type: stringType },
    { name: "Major", type: stringType },
    { name: "Minor", type: stringType },
  ],
  {
    text: (raw) => (raw as RawKubeVersion).Version,
    methods: {
      String: { params: [], call: ({ Version }: RawKubeVersion) => Version },
      GitVersion: { params: [], call: ({ Version }: RawKubeVersion) => Version },
    },
  },
);

const versionSetType = named("chartutil.VersionSet", stringSliceType, {
  methods: {
    Has: { params: [stringType], call: (versions: readonly string[], one: string) => versions.includes(one) },
  },
});

const helmVersionType = structOf("version.BuildInfo", [
  { name: "Version", type: stringType },
  { name: "GitCommit", type: stringType },
  { name: "GitTreeState", type: stringType },
  { name: "GoVersion", type: stringType },
]);

const capabilitiesType = pointerTo(
  structOf("chartutil.Capabilities", [
    { name: "KubeVersion", type: kubeVersionType },
    { name: "APIVersions", type: versionSetType },
    { name: "HelmVersion", type: helmVersionType },
  ]),
);

/** `.Capabilities`. */
export function capabilitiesValue({ kubeVersion, apiVersions }: Capabilities): Value {
  const version = parseVersion(kubeVersion);
  return typed(capabilitiesType, {
    KubeVersion: {
      Version: kubeVersion,
      Major: String(version?.major ?? ""),
      Minor: String(version?.minor ?? ""),
    },
    APIVersions: apiVersions,
    HelmVersion: { Version: HELM_VERSION, GitCommit: "", GitTreeState: "clean", GoVersion: "" },
  });
}
