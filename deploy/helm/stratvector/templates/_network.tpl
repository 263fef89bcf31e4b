{{/* The pods of a component, as one peer of a list. Takes (dict "root" $ "component" NAME). */}}
{{- define "stratvector.podPeer" -}}
- podSelector:
    matchLabels:
      {{- include "stratvector.selector" . | nindent 6 }}
{{- end -}}

{{- define "stratvector.dnsEgress" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
{{- end -}}
