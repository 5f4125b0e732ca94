import type { WorkingView } from "@boxship/build";

/** An image's document, or that of a working container. */
export interface ImageDocument {
  readonly created?: string;
  readonly author?: string;
  readonly architecture?: string;
  readonly os?: string;
  readonly variant?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly rootfs?: unknown;
  readonly history?: readonly unknown[];
}

/** Fields that Docker's document has and OCI's has not. */
const DOCKER_ONLY = ["Healthcheck", "OnBuild", "Shell"];

/** What `inspect` shows, in buildah's words. */
export function builderInfo(view: WorkingView): Readonly<Record<string, unknown>> {
  const document = view.document as ImageDocument;
  const { config = {}, ...rest } = document;
  const oci = Object.fromEntries(Object.entries(config).filter(([field]) => !DOCKER_ONLY.includes(field)));
  const docker = { Hostname: view.hostname, Domainname: view.domainname, ...config };
  return {
    Type: "buildah 0.0.1",
    FromImage: view.fromImage === "scratch" ? "" : view.fromImage,
    FromImageID: view.fromImageId.replace(/^sha256:/, ""),
    FromImageDigest: view.fromImageDigest,
    Container: view.name,
    ContainerID: view.id,
    MountPoint: view.mountPoint,
    ImageAnnotations: view.annotations,
    ImageCreatedBy: view.createdBy,
    OCIv1: { ...rest, config: oci },
    Docker: {
      ...(view.comment === "" ? {} : { comment: view.comment }),
      ...rest,
      container_config: docker,
      config: docker,
    },
    History: document.history ?? [],
  };
}

/** The same with Go's names, for templates. */
export function templateInfo(info: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { ...info, OCIv1: goNames(info["OCIv1"]), Docker: goNames(info["Docker"]) };
}

const GO_NAMES: Readonly<Record<string, string>> = { os: "OS", rootfs: "RootFS", container_config: "ContainerConfig" };

function goNames(document: unknown): Readonly<Record<string, unknown>> {
  const fields = Object.entries(document as Readonly<Record<string, unknown>>);
  return Object.fromEntries(
    fields.map(([name, value]) => [GO_NAMES[name] ?? name.charAt(0).toUpperCase() + name.slice(1), value]),
  );
}
