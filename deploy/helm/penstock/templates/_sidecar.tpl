{{/*
For charts of applications that have this one as a dependency, with `mode: sidecar`:

  template:
    metadata:
      annotations: {{- include "penstock.sidecar.annotations" .Subcharts.penstock | nindent 8 }}
      labels: {{- include "penstock.sidecar.labels" .Subcharts.penstock | nindent 8 }}
    spec:
      initContainers: {{- include "penstock.sidecar.container" .Subcharts.penstock | nindent 8 }}
      volumes: {{- include "penstock.sidecar.volumes" .Subcharts.penstock | nindent 8 }}
*/}}

{{/*
A sidecar starts before the application's containers and ends after them, so that it takes what they say last. It needs
no preStop.
*/}}
{{- define "penstock.sidecar.container" -}}
-
  {{- include "penstock.container" . | nindent 2 }}
  restartPolicy: Always
  resources:
    {{- toYaml .Values.sidecar.resources | nindent 4 }}
{{- end }}

{{- define "penstock.sidecar.volumes" -}}
{{ include "penstock.volumes" . }}
{{- end }}

{{- define "penstock.sidecar.annotations" -}}
{{ include "penstock.checksum" . }}
{{- end }}

{{/* By the first label a PodMonitor finds pods with this sidecar; the second is their job in Prometheus, of which the rules know the
beginning. */}}
{{- define "penstock.sidecar.labels" -}}
penstock/sidecar: {{ include "penstock.fullname" . }}
penstock/job: penstock-sidecar
{{- end }}
