{{/*
The configuration: preset, overlays, what the values ask for, `config`. Helpers that return a structure return it as
JSON text.
*/}}

{{- define "penstock.preset" -}}
{{- .Values.preset | default (ternary "gateway" "sidecar" (eq .Values.mode "gateway")) -}}
{{- end }}

{{/* Lays map `over` on map `base`, in place; with `remove`, a null takes away what is there. */}}
{{- define "penstock.lay" -}}
{{- range $key, $value := .over -}}
{{- $old := get $.base $key -}}
{{- if and $.remove (kindIs "invalid" $value) (hasKey $.base $key) -}}
{{- $_ := unset $.base $key -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $old) -}}
{{- include "penstock.lay" (dict "base" $old "over" $value "remove" $.remove) -}}
{{- else -}}
{{- $_ := set $.base $key $value -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Preset and overlays, as text. */}}
{{- define "penstock.shippedText" -}}
{{- $preset := include "penstock.preset" . -}}
{{- if ne $preset "none" -}}
{{- .Files.Get (printf "files/configs/%s.yaml" $preset) | replace "0.0.0.0:" (printf "%s:" .Values.listenHost) -}}
{{- end -}}
{{- end }}

{{- define "penstock.shipped" -}}
{{- $config := include "penstock.shippedText" . | fromYaml -}}
{{- range .Values.overlays -}}
{{- $overlay := $.Files.Get (printf "files/configs/overlays/%s.yaml" .) | fromYaml -}}
{{- include "penstock.lay" (dict "base" $config "over" $overlay "remove" false) -}}
{{- end -}}
{{- $config | toJson -}}
{{- end }}

{{/* What the values ask for, laid over `shipped`. */}}
{{- define "penstock.additions" -}}
{{- $config := include "penstock.shipped" . | fromJson -}}
{{- $page := dict "host" (.Values.listenHost | trimAll "[]") "port" 8888 "without_scope_info" true "without_units" true "without_type_suffix" true -}}
{{- $readers := list (dict "pull" (dict "exporter" (dict "prometheus" $page))) -}}
{{- $telemetry := dict "logs" (dict "level" .Values.logs.level "encoding" .Values.logs.encoding) "metrics" (dict "readers" $readers) -}}
{{- $_ := set $telemetry "resource" (dict "k8s.namespace.name" "${env:POD_NAMESPACE}" "k8s.pod.name" "${env:POD_NAME}") -}}
{{- $service := dict "telemetry" $telemetry "drain_timeout" (printf "%ds" (int .Values.drainTimeoutSeconds)) -}}
{{- $additions := dict "service" $service -}}
{{- if hasKey ($config.extensions | default dict) "health_check" -}}
{{- $_ := set $additions "extensions" (dict "health_check" (dict "endpoint" (printf "%s:13133" .Values.listenHost))) -}}
{{- end -}}
{{- include "penstock.lay" (dict "base" $config "over" $additions "remove" false) -}}
{{- if ne .Values.mode "sidecar" -}}
{{- include "penstock.addIntake" (dict "root" . "config" $config) -}}
{{- else if .Values.sidecar.resourceAttributes -}}
{{- include "penstock.addPod" $config -}}
{{- end -}}
{{- if .Values.backend.endpoint -}}
{{- include "penstock.addBackend" (dict "root" . "config" $config) -}}
{{- end -}}
{{- if include "penstock.isStateful" . -}}
{{- include "penstock.addStorage" (dict "root" . "config" $config) -}}
{{- end -}}
{{- $config | toJson -}}
{{- end }}

{{/* OTLP ports: address, TLS, age of connections. */}}
{{- define "penstock.addIntake" -}}
{{- $values := .root.Values -}}
{{- $receivers := .config.receivers | default dict -}}
{{- $protocols := (($receivers.otlp | default dict).protocols | default dict) -}}
{{- range $name, $settings := $protocols -}}
{{- $_ := set $settings "endpoint" ($settings.endpoint | replace "localhost:" (printf "%s:" $values.listenHost)) -}}
{{- if $values.tls.existingSecret -}}
{{- $tls := dict "cert_file" "/etc/penstock/tls/tls.crt" "key_file" "/etc/penstock/tls/tls.key" "reload_interval" $values.tls.reloadInterval -}}
{{- if $values.tls.clientCA -}}
{{- $_ := set $tls "client_ca_file" "/etc/penstock/tls/ca.crt" -}}
{{- $_ := set $tls "client_ca_file_reload" true -}}
{{- end -}}
{{- $_ := set $settings "tls" $tls -}}
{{- end -}}
{{- if eq $name "grpc" -}}
{{- $keepalive := $settings.keepalive | default dict -}}
{{- $age := dict "max_connection_age" $values.connectionAge "max_connection_age_grace" "30s" -}}
{{- $parameters := merge $age ($keepalive.server_parameters | default dict) -}}
{{- $_ := set $settings "keepalive" (merge (dict "server_parameters" $parameters) $keepalive) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* What the sidecar knows of its pod, on all that the application sends. */}}
{{- define "penstock.addPod" -}}
{{- $attributes := list -}}
{{- range $key, $name := dict "k8s.namespace.name" "POD_NAMESPACE" "k8s.pod.name" "POD_NAME" "k8s.node.name" "NODE_NAME" -}}
{{- $attributes = append $attributes (dict "key" $key "value" (printf "${env:%s}" $name) "action" "upsert") -}}
{{- end -}}
{{- $_ := set (.processors | default dict) "resource/pod" (dict "attributes" $attributes) -}}
{{- range (.service.pipelines | default dict) -}}
{{- if has "otlp" .receivers -}}
{{- $processors := .processors | default list -}}
{{- $first := ternary 1 0 (has "memory_limiter" (slice $processors 0 (min 1 (len $processors)))) -}}
{{- $_ := set . "processors" (concat (slice $processors 0 $first) (list "resource/pod") (slice $processors $first)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "penstock.addBackend" -}}
{{- $backend := .root.Values.backend -}}
{{- $exporter := (.config.exporters | default dict).otlp_grpc -}}
{{- if and $exporter (not $backend.insecure) -}}
{{- $tls := dict "insecure" false -}}
{{- if $backend.caSecret.name -}}
{{- $_ := set $tls "ca_file" (printf "/etc/penstock/backend/%s" $backend.caSecret.key) -}}
{{- $_ := set $tls "reload_interval" .root.Values.tls.reloadInterval -}}
{{- end -}}
{{- $_ := set $exporter "tls" $tls -}}
{{- end -}}
{{- end }}

{{/*
Queues on disk. A `batch` processor in front of one would hold acknowledged data in memory, so the queue puts requests
together instead (docs/guarantees.md).
*/}}
{{- define "penstock.addStorage" -}}
{{- $persistence := .root.Values.persistence -}}
{{- $config := .config -}}
{{- $chosen := $persistence.exporters -}}
{{- if not $chosen -}}
{{- range $id, $exporter := ($config.exporters | default dict) -}}
{{- if hasKey ($exporter | default dict) "sending_queue" }}{{ $chosen = append $chosen $id }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $batch := (($config.processors | default dict).batch | default dict) -}}
{{- $storage := dict "directory" "/var/lib/penstock" "fsync" $persistence.fsync "compaction" (dict "on_rebound" true) -}}
{{- include "penstock.lay" (dict "base" $config "over" (dict "extensions" (dict "file_storage" $storage)) "remove" false) -}}
{{- $_ := set $config.service "extensions" (append ($config.service.extensions | default list) "file_storage") -}}
{{- range $chosen -}}
{{- $queue := dict "storage" "file_storage" "sizer" "bytes" "queue_size" $persistence.queueBytes -}}
{{- $sizes := dict "sizer" "items" "flush_timeout" ($batch.timeout | default "200ms") "min_size" ($batch.send_batch_size | default 2048) "max_size" ($batch.send_batch_max_size | default 4096) -}}
{{- $_ := set $queue "batch" $sizes -}}
{{- $exporter := dict "sending_queue" $queue "retry_on_failure" (dict "max_elapsed_time" "0s") -}}
{{- include "penstock.lay" (dict "base" $config "over" (dict "exporters" (dict . $exporter)) "remove" false) -}}
{{- end -}}
{{- range ($config.service.pipelines | default dict) -}}
{{- $kept := list -}}
{{- $pipeline := . -}}
{{- range (.processors | default list) -}}
{{- if ne . "batch" }}{{ $kept = append $kept . }}{{ end -}}
{{- end -}}
{{- range .exporters -}}
{{- if has . $chosen }}{{ $_ := set $pipeline "processors" $kept }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* All of it, as JSON. */}}
{{- define "penstock.config" -}}
{{- $config := include "penstock.additions" . | fromJson -}}
{{- include "penstock.lay" (dict "base" $config "over" (deepCopy .Values.config) "remove" true) -}}
{{- $config | toJson -}}
{{- end }}

{{/*
The ports that pods serve to others, by what the configuration listens on: a list of {name, port, kind, protocol, tls};
kind is otlp, metrics or health. What listens on localhost is not among them. The names of a sidecar's ports are not
those of an application's.
*/}}
{{- define "penstock.ports" -}}
{{- $config := include "penstock.config" . | fromJson -}}
{{- $ports := list -}}
{{- range $id, $receiver := ($config.receivers | default dict) -}}
{{- if eq (splitList "/" $id | first) "otlp" -}}
{{- range $protocol, $settings := (($receiver | default dict).protocols | default dict) -}}
{{- $settings = $settings | default dict -}}
{{- $endpoint := $settings.endpoint | default (ternary "localhost:4317" "localhost:4318" (eq $protocol "grpc")) -}}
{{- $port := dict "name" (printf "otlp-%s%s" $protocol (trimPrefix "otlp" $id)) "endpoint" $endpoint "kind" "otlp" "protocol" $protocol "tls" (hasKey $settings "tls") -}}
{{- $ports = append $ports $port -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $id, $exporter := ($config.exporters | default dict) -}}
{{- if eq (splitList "/" $id | first) "prometheus" -}}
{{- $port := dict "name" (printf "llm-metrics%s" (trimPrefix "prometheus" $id)) "endpoint" (($exporter | default dict).endpoint | default "") "kind" "metrics" "protocol" "http" "tls" (hasKey ($exporter | default dict) "tls") -}}
{{- $ports = append $ports $port -}}
{{- end -}}
{{- end -}}
{{- range $index, $reader := ((($config.service | default dict).telemetry | default dict).metrics | default dict).readers -}}
{{- $page := ((($reader.pull | default dict).exporter | default dict).prometheus) -}}
{{- if $page -}}
{{- $port := dict "name" (printf "metrics%s" (ternary "" (toString $index) (eq $index 0))) "endpoint" (printf "%s:%v" ($page.host | default "localhost") ($page.port | default 8888)) "kind" "metrics" "protocol" "http" "tls" (hasKey $page "tls") -}}
{{- $ports = append $ports $port -}}
{{- end -}}
{{- end -}}
{{- range $id, $extension := ($config.extensions | default dict) -}}
{{- if eq $id "health_check" -}}
{{- $health := $extension | default dict -}}
{{- $port := dict "name" "health" "endpoint" ($health.endpoint | default "localhost:13133") "kind" "health" "protocol" "http" "tls" (hasKey $health "tls") "path" ($health.path | default "/") -}}
{{- $ports = append $ports $port -}}
{{- end -}}
{{- end -}}
{{- $served := list -}}
{{- $names := list -}}
{{- range $ports -}}
{{- if not (regexMatch "^(localhost|127\\.|\\[?::1\\]?:|/|unix:)" .endpoint) -}}
{{- $number := regexFind "[0-9]+$" .endpoint -}}
{{- if not $number -}}
{{- fail (printf "the endpoint %q (%s) needs its port as a number: the Service and the probes are made from it" .endpoint .name) -}}
{{- end -}}
{{- $name := .name | replace "/" "-" | replace "_" "-" | lower -}}
{{- if eq $.Values.mode "sidecar" -}}
{{- $name = ternary "penstock" (printf "penstock-%s" $name) (eq $name "metrics") -}}
{{- end -}}
{{- $name = $name | trunc 15 | trimSuffix "-" -}}
{{- if has $name $names -}}
{{- $name = printf "%s-%s" ($name | trunc 9 | trimSuffix "-") $number -}}
{{- end -}}
{{- $names = append $names $name -}}
{{- $served = append $served (dict "name" $name "port" (int $number) "kind" .kind "protocol" .protocol "tls" .tls "path" (.path | default "/")) -}}
{{- end -}}
{{- end -}}
{{- $served | toJson -}}
{{- end }}

{{/* The ports of what exporters and receivers connect to, where they can be read. */}}
{{- define "penstock.egressPorts" -}}
{{- $config := include "penstock.config" . | fromJson -}}
{{- $targets := list .Values.backend.endpoint .Values.kafka.broker -}}
{{- range $section := tuple "exporters" "receivers" -}}
{{- range $id, $component := (get $config $section | default dict) -}}
{{- $component = $component | default dict -}}
{{- if and (eq $section "exporters") (ne (splitList "/" $id | first) "prometheus") -}}
{{- $targets = append $targets ($component.endpoint | default "") -}}
{{- end -}}
{{- $targets = concat $targets ($component.brokers | default list) -}}
{{- end -}}
{{- end -}}
{{- $ports := list -}}
{{- range $targets -}}
{{- $port := regexFind ":[0-9]+(/|$)" . | trimPrefix ":" | trimSuffix "/" -}}
{{- if and (not $port) (hasPrefix "http" .) -}}
{{- $port = ternary "443" "80" (hasPrefix "https:" .) -}}
{{- end -}}
{{- if $port }}{{ $ports = append $ports (int $port) }}{{ end -}}
{{- end -}}
{{- $ports | uniq | sortAlpha | toJson -}}
{{- end }}
