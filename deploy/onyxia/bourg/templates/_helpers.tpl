{{- define "bourg.name" -}}
{{- printf "%s" .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "bourg.labels" -}}
app.kubernetes.io/name: bourg
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "bourg.selector" -}}
app.kubernetes.io/name: bourg
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* What every container of the pod may not do. */ -}}
{{- define "bourg.confined" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
