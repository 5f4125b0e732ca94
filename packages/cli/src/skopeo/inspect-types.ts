import {
  boolType,
  type GoType,
  mapOf,
  pointerTo,
  sliceOf,
  stringMapType,
  stringSliceType,
  stringType,
  structOf,
} from "@boxship/template";
import { goTimeOfText } from "../format/go-time.ts";

/** What templates of `skopeo inspect` are given, under the names that Go's types have. */

const timeType: GoType = pointerTo({
  ...stringType,
  name: "time.Time",
  text: (raw) => goTimeOfText(String(raw)),
});

/** An image. */
export const inspectType: GoType = structOf("inspect.Output", [
  { name: "Name", type: stringType, omitEmpty: true },
  { name: "Tag", type: stringType, omitEmpty: true },
  { name: "Digest", type: stringType },
  { name: "RepoTags", type: stringSliceType },
  { name: "Created", type: timeType },
  { name: "DockerVersion", type: stringType },
  { name: "Labels", type: stringMapType },
  { name: "Architecture", type: stringType },
  { name: "Os", type: stringType },
  { name: "Layers", type: stringSliceType },
  { name: "Env", type: stringSliceType },
]);

const setType = mapOf(stringType, structOf("struct {}", []));

const runtimeType = structOf("v1.ImageConfig", [
  { name: "User", type: stringType },
  { name: "ExposedPorts", type: setType },
  { name: "Env", type: stringSliceType },
  { name: "Entrypoint", type: stringSliceType },
  { name: "Cmd", type: stringSliceType },
  { name: "Volumes", type: setType },
  { name: "WorkingDir", type: stringType },
  { name: "Labels", type: stringMapType },
  { name: "StopSignal", type: stringType },
]);

const rootfsType = structOf("v1.RootFS", [
  { name: "Type", key: "type", type: stringType },
  { name: "DiffIDs", key: "diff_ids", type: stringSliceType },
]);

const historyType = structOf("v1.History", [
  { name: "Created", key: "created", type: timeType },
  { name: "CreatedBy", key: "created_by", type: stringType },
  { name: "Author", key: "author", type: stringType },
  { name: "Comment", key: "comment", type: stringType },
  { name: "EmptyLayer", key: "empty_layer", type: boolType },
]);

/** Its configuration, as the OCI specification has it. */
export const configType: GoType = structOf("v1.Image", [
  { name: "Created", key: "created", type: timeType },
  { name: "Author", key: "author", type: stringType },
  { name: "Architecture", key: "architecture", type: stringType },
  { name: "Variant", key: "variant", type: stringType },
  { name: "OS", key: "os", type: stringType },
  { name: "OSVersion", key: "os.version", type: stringType },
  { name: "OSFeatures", key: "os.features", type: stringSliceType },
  { name: "Config", key: "config", type: runtimeType },
  { name: "RootFS", key: "rootfs", type: rootfsType },
  { name: "History", key: "history", type: sliceOf(historyType) },
]);
