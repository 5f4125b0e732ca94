import { readFile } from "node:fs/promises";
import {
  type ConnectLog,
  fluentdTarget,
  gelfTarget,
  journaldTarget,
  journalFieldName,
  type SyslogAddress,
  syslogTarget,
} from "@boxship/runtime";
import type { ContainerRecord } from "../container/record.ts";
import type { EngineContext } from "../context.ts";
import {
  durationOption,
  fluentdAddress,
  gelfAddress,
  gelfCompression,
  type ShippingDriver,
  syslogAddress,
  syslogFacility,
  syslogFormat,
} from "./driver-options.ts";
import { logAttributes } from "./log-attributes.ts";
import { parseFlag } from "./log-option.ts";
import { commandOf, renderTag } from "./log-tag.ts";

const JOURNAL_SOCKET = "/run/systemd/journal/socket";
const DEFAULT_TAG = "{{.ID}}";
const ACKNOWLEDGE_MS = 30_000;

/** Where a container's log is sent, with what Docker says about the container in each entry. */
export async function logTarget(
  context: EngineContext,
  record: ContainerRecord,
  driver: ShippingDriver,
): Promise<ConnectLog> {
  const { clock } = context;
  const options = record.hostConfig.logConfig?.config ?? {};
  const tag = renderTag(options["tag"] || DEFAULT_TAG, record);
  switch (driver) {
    case "syslog":
      return syslogTarget({
        address: await withCertificates(syslogAddress(options), options),
        facility: syslogFacility(options["syslog-facility"]),
        format: syslogFormat(options["syslog-format"]),
        tag,
        clock,
      });
    case "journald":
      return journaldTarget({
        socketPath: context.options.log?.journalSocket ?? JOURNAL_SOCKET,
        fields: { ...journalFields(record, tag), ...(await logAttributes(record, journalFieldName)) },
        clock,
      });
    case "fluentd":
      return fluentdTarget({
        address: fluentdAddress(options["fluentd-address"]),
        tag,
        fields: { container_id: record.id, container_name: `/${record.name}` },
        extra: await logAttributes(record),
        subSecond: parseFlag("", options["fluentd-sub-second-precision"], false),
        acknowledge: parseFlag("", options["fluentd-request-ack"], false),
        acknowledgeTimeout: durationOption(options, "fluentd-read-timeout") || ACKNOWLEDGE_MS,
        clock,
      });
    case "gelf": {
      const address = gelfAddress(options["gelf-address"]);
      const extra = await logAttributes(record, (name) => (name.startsWith("_") ? name : `_${name}`));
      return gelfTarget({
        ...address,
        ...gelfCompression(options, address.protocol),
        fields: { ...gelfFields(record, tag), ...extra },
        clock,
      });
    }
  }
}

function journalFields(record: ContainerRecord, tag: string): Record<string, string> {
  return {
    CONTAINER_ID: record.id.slice(0, 12),
    CONTAINER_ID_FULL: record.id,
    CONTAINER_NAME: record.name,
    CONTAINER_TAG: tag,
    IMAGE_NAME: record.config.image,
    SYSLOG_IDENTIFIER: tag,
  };
}

function gelfFields(record: ContainerRecord, tag: string): Record<string, string> {
  return {
    _container_id: record.id,
    _container_name: record.name,
    _image_id: record.imageId,
    _image_name: record.config.image,
    _command: commandOf(record).join(" "),
    _tag: tag,
    _created: new Date(record.created).toISOString(),
  };
}

async function withCertificates(
  address: SyslogAddress,
  options: Readonly<Record<string, string>>,
): Promise<SyslogAddress> {
  if (address.protocol !== "tcp+tls") return address;
  const file = async (name: string) => {
    const path = options[`syslog-tls-${name}`] ?? "";
    return path === "" ? undefined : await readFile(path, "utf8");
  };
  const [ca, cert, key] = await Promise.all([file("ca-cert"), file("cert"), file("key")]);
  return {
    ...address,
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      // Its mere presence counts, as with Docker.
      rejectUnauthorized: options["syslog-tls-skip-verify"] === undefined,
    },
  };
}
