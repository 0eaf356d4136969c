package ecstest

import (
	"encoding/json"
	"net/http"
	"slices"
)

// Metadata answers as a task's own address, 169.254.170.2, does: with what the task is, and with
// the keys of its role where it has one. Who asks for keys has to know the task's own path.
func (s *Server) Metadata() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v4/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.tell(w, func(t *task) any {
			if t.id() != r.PathValue("id") {
				return nil
			}
			return map[string]any{"DockerId": t.id(), "Name": t.definition.Container, "Labels": map[string]string{"com.amazonaws.ecs.task-arn": t.arn}}
		})
	})
	mux.HandleFunc("GET /v2/credentials/{id}", func(w http.ResponseWriter, r *http.Request) {
		s.tell(w, func(t *task) any {
			if t.role != r.PathValue("id") || t.definition.RoleSecret == "" {
				return nil
			}
			return map[string]any{
				"RoleArn": "arn:aws:iam::" + s.config.Account + ":role/task", "AccessKeyId": "ASIAECSTEST",
				"SecretAccessKey": t.definition.RoleSecret, "Token": t.definition.RoleSecret,
			}
		})
	})
	return mux
}

// tell answers with what is said of the one task that it is said of.
func (s *Server) tell(w http.ResponseWriter, say func(*task) any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var answer any
	if !slices.ContainsFunc(s.tasks, func(t *task) bool { answer = say(t); return answer != nil }) {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // whoever asked has gone
}
